// Package protocol reads the feature rows of inference requests and the predictions of their responses: KServe V1 (the row form of TensorFlow Serving too) and V2, the
// Open Inference Protocol, both as JSON.
//
// Bodies come from anybody, so nothing is believed: a body is read twice, first wholly checked without telling anybody, then its values are told. So a body that ends in the
// middle, or whose shape disagrees with its data, counts nowhere but as unparsable. Nothing is guessed: values that cannot be given to a column for certain are refused.
// Neither pass allocates for the usual body, whatever its size. Python's NaN, Infinity and -Infinity are read where JSON has numbers, as many servers do.
package protocol
