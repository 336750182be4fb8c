package protocol

// datatype of a V2 tensor.
type datatype uint8

const (
	unnamedType datatype = iota // none was given
	boolType
	uint8Type
	uint16Type
	uint32Type
	uint64Type
	int8Type
	int16Type
	int32Type
	int64Type
	fp16Type
	bf16Type
	fp32Type
	fp64Type
	bytesType
	unknownType
)

// size is the bytes of a raw element; 0 where they vary.
func (d datatype) size() int {
	switch d {
	case boolType, uint8Type, int8Type:
		return 1
	case uint16Type, int16Type, fp16Type, bf16Type:
		return 2
	case uint32Type, int32Type, fp32Type:
		return 4
	case uint64Type, int64Type, fp64Type:
		return 8
	}
	return 0
}

func datatypeOf(name []byte) datatype {
	switch string(name) {
	case "BOOL":
		return boolType
	case "UINT8":
		return uint8Type
	case "UINT16":
		return uint16Type
	case "UINT32":
		return uint32Type
	case "UINT64":
		return uint64Type
	case "INT8":
		return int8Type
	case "INT16":
		return int16Type
	case "INT32":
		return int32Type
	case "INT64":
		return int64Type
	case "FP16":
		return fp16Type
	case "BF16":
		return bf16Type
	case "FP32":
		return fp32Type
	case "FP64":
		return fp64Type
	case "BYTES":
		return bytesType
	}
	return unknownType
}
