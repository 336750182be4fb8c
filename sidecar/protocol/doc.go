// Package protocol reads the feature rows of inference requests and the predictions of their responses: KServe V1 and
// TensorFlow Serving, V2 (Open Inference) as JSON, with binary tensors and as gRPC messages, MLflow, Seldon V1 and CSV.
//
// Bodies come from anybody, so nothing is believed, and nothing is guessed: a body that ends in the middle, whose shape
// disagrees with its data, or whose values cannot be given to a column for certain, counts nowhere but as unparsable.
// Each format (v2.go, mlflow.go, …) reads a body once into cells, eight bytes for each value; what says how they are
// laid out is a list of tensors (tensor.go). Only when all of it is understood are tensors bound to columns and told to
// a Table. Numbers go there by the column; text stays in the body, and a cell says where. The cells are kept from one
// body to the next, so that the usual body allocates nothing.
//
// Vectors, images and audio are told by columns that sum them up (summarise.go).
//
// Python's NaN, Infinity and -Infinity are read where JSON has numbers, as many servers do.
package protocol
