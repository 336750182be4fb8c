package protocol_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// le writes values little-endian, texts behind their lengths.
func le(values ...any) []byte {
	var b []byte
	for _, v := range values {
		if s, ok := v.(string); ok {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
			continue
		}
		b, _ = binary.Append(b, binary.LittleEndian, v)
	}
	return b
}

// Three values of each datatype, raw, and what they are.
var raws = []struct {
	datatype string
	data     []byte
	want     string
}{
	{"BOOL", []byte{0, 1, 2}, `false,true,true`},
	{"UINT8", le(uint8(0), uint8(1), uint8(255)), `0,1,255`},
	{"UINT16", le(uint16(0), uint16(1), uint16(65535)), `0,1,65535`},
	{"UINT32", le(uint32(0), uint32(1), uint32(math.MaxUint32)), `0,1,4.294967295e+09`},
	{"UINT64", le(uint64(7), uint64(999999999999999), uint64(math.MaxUint64)), `7,9.99999999999999e+14,"18446744073709551615"`},
	{"INT8", le(int8(-128), int8(-1), int8(127)), `-128,-1,127`},
	{"INT16", le(int16(-32768), int16(-1), int16(1)), `-32768,-1,1`},
	{"INT32", le(int32(math.MinInt32), int32(-1), int32(1)), `-2.147483648e+09,-1,1`},
	{"INT64", le(int64(math.MinInt64), int64(-1), int64(1000000000000000)), `"-9223372036854775808",-1,"1000000000000000"`},
	{"FP16", le(uint16(0x3c00), uint16(0xc100), uint16(0x7e00)), `1,-2.5,-`},
	{"FP16", le(uint16(0x0001), uint16(0x7bff), uint16(0xfc00)), `5.960464477539063e-08,65504,-Inf`},
	{"BF16", le(uint16(0x3f80), uint16(0xc020), uint16(0x7fc0)), `1,-2.5,-`},
	{"FP32", le(float32(1.5), float32(math.Inf(1)), float32(math.NaN())), `1.5,+Inf,-`},
	{"FP32", le(float32(72.3), float32(-0.1), float32(123.456)), `72.3,-0.1,123.456`},
	{"FP64", le(0.1, math.Inf(-1), math.Float64frombits(0xffff_0102_0304_0506)), `0.1,-Inf,-`},
	{"BYTES", le("x", "", "é,\""), `"x","","é,\""`},
}

// extension is a body of V2's binary extension and its message.
func extension(json string, raw ...[]byte) protocol.Message {
	m := protocol.Message{Kind: protocol.V2, Form: protocol.FormBinary, HeaderLength: int64(len(json)), Body: []byte(json)}
	for _, b := range raw {
		m.Body = append(m.Body, b...)
	}
	return m
}

func TestBinary(t *testing.T) {
	var p protocol.Parser
	for _, c := range raws {
		s := newSheet("a")
		json := fmt.Sprintf(`{"inputs":[{"name":"a","shape":[3],"datatype":%q,"parameters":{"binary_data_size":%d}}]}`, c.datatype, len(c.data))
		check(t, c.datatype, p.Features(extension(json, c.data), s), s, "a="+c.want+" unknown=0 rows=3")
		s = newSheet("a")
		check(t, c.datatype+", cut", p.Features(extension(json, c.data[:len(c.data)-1]), s), s, "")
		check(t, c.datatype+", more behind", p.Features(extension(json, c.data, []byte{0}), s), s, "")
		json = strings.Replace(json, "[3]", "[4]", 1)
		check(t, c.datatype+", of another shape", p.Features(extension(json, c.data), s), s, "")
	}
	part := func(name string, size int) string {
		return fmt.Sprintf(`{"name":%q,"shape":[2],"datatype":"INT16","parameters":{"binary_data_size":%d}}`, name, size)
	}
	list := `{"name":"b","shape":[2],"datatype":"FP64","data":[0.5,null]}`
	two := le(int16(1), int16(2))
	for _, c := range []struct {
		name, tensors string
		raw           [][]byte
		want          string
	}{
		{"JSON between raw ones", part("c", 4) + "," + list + "," + part("a", 4), [][]byte{two, le(int16(3), int16(4))}, `a=3,4 b=0.5,- c=1,2 unknown=0 rows=2`},
		{"an unknown one before", part("zz", 4) + "," + part("a", 4), [][]byte{two, two}, `a=1,2 b=-,- c=-,- unknown=2 rows=2`},
		{"one too large", part("a", 6), [][]byte{le(int16(1), int16(2), int16(3))}, ``},
		{"one behind the end", part("a", 4) + "," + part("b", 4), [][]byte{two}, ``},
		{"data twice", `{"name":"a","shape":[2],"datatype":"INT16","data":[1,2],"parameters":{"binary_data_size":4}}`, [][]byte{two}, ``},
		{"no datatype", `{"name":"a","shape":[2],"parameters":{"binary_data_size":4}}`, [][]byte{two}, ``},
		{"negative size", part("a", -4), [][]byte{two}, ``},
		{"huge shape", `{"name":"a","shape":[2147483648,2147483648],"datatype":"BYTES","parameters":{"binary_data_size":0}}`, nil, ``},
	} {
		s := newSheet("a", "b", "c")
		check(t, c.name, p.Features(extension(`{"inputs":[`+c.tensors+`]}`, c.raw...), s), s, c.want)
	}
	s := newSheet("a")
	m := extension(`{"inputs":[` + list + `]}`)
	m.HeaderLength++
	check(t, "header longer than the body", p.Features(m, s), s, "")
	m.Form = protocol.RequestForm(protocol.V2, []byte("/v2/models/m/infer"), nil, 0)
	check(t, "one raw tensor", p.Features(m, s), s, "!")
}

// pb writes a field: a message or text, or a varint.
func pb(field protowire.Number, v any) []byte {
	switch v := v.(type) {
	case []byte:
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), v)
	case string:
		return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), v)
	case int:
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), uint64(v))
	}
	panic(fmt.Sprintf("%T", v))
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func grpcTensor(name, datatype string, parts ...[]byte) []byte {
	return pb(5, join(pb(1, name), pb(2, datatype), join(parts...)))
}

func varints(v ...int64) (b []byte) {
	for _, v := range v {
		b = protowire.AppendVarint(b, uint64(v))
	}
	return b
}

func TestGRPC(t *testing.T) {
	shape := pb(3, varints(3))
	bytes := join(pb(8, "x"), pb(8, ""), pb(8, "é"))
	for _, c := range []struct {
		name string
		body []byte
		want string
	}{
		{"bools", grpcTensor("a", "BOOL", shape, pb(5, pb(1, []byte{0, 1, 1}))), `false,true,true`},
		{"bools, unpacked", grpcTensor("a", "BOOL", shape, pb(5, join(pb(1, 0), pb(1, 1), pb(1, 0)))), `false,true,false`},
		{"bytes of integers", grpcTensor("a", "INT8", shape, pb(5, pb(2, varints(-1, 0, 127)))), `-1,0,127`},
		{"integers", grpcTensor("a", "INT32", shape, pb(5, pb(2, varints(-1, 0, math.MaxInt32)))), `-1,0,2.147483647e+09`},
		{"integers in pieces", grpcTensor("a", "INT32", shape, pb(5, pb(2, varints(1))), pb(5, join(pb(2, 2), pb(2, varints(3))))), `1,2,3`},
		{"long integers", grpcTensor("a", "INT64", shape, pb(5, pb(3, varints(-1, math.MinInt64, 1e15)))), `-1,"-9223372036854775808","1000000000000000"`},
		{"unsigned", grpcTensor("a", "UINT16", shape, pb(5, pb(4, varints(0, 1, 65535)))), `0,1,65535`},
		{"long unsigned", grpcTensor("a", "UINT64", shape, pb(5, pb(5, varints(0, 1, -1)))), `0,1,"18446744073709551615"`},
		{"floats", grpcTensor("a", "FP32", shape, pb(5, pb(6, le(float32(1.5), float32(-2), float32(math.NaN()))))), `1.5,-2,-`},
		{"doubles", grpcTensor("a", "FP64", shape, pb(5, pb(7, le(1.5, -2.0, math.Inf(1))))), `1.5,-2,+Inf`},
		{"texts", grpcTensor("a", "BYTES", shape, pb(5, bytes)), `"x","","é"`},
		{"shape one by one", grpcTensor("a", "BYTES", pb(3, 3), pb(3, 1), pb(5, bytes)), `"x","","é"`},
		{"contents before the shape", grpcTensor("a", "BYTES", pb(5, bytes), shape), `"x","","é"`},
		{"raw", join(grpcTensor("a", "FP16", shape), pb(7, le(uint16(0x3c00), uint16(0xc100), uint16(0x7e00)))), `1,-2.5,-`},
		{"raw, with empty contents", join(pb(7, le(1.0, 2.0, 3.0)), grpcTensor("a", "FP64", shape, pb(5, []byte{}))), `1,2,3`},
		{"raw and contents", join(pb(7, le(1.0, 2.0, 3.0)), grpcTensor("a", "FP64", shape, pb(5, pb(7, le(1.0))))), ``},
		{"raw of two", join(grpcTensor("a", "FP64", shape), pb(7, le(1.0, 2.0, 3.0)), pb(7, []byte{})), ``},
		{"contents of another type", grpcTensor("a", "INT64", shape, pb(5, pb(2, varints(1, 2, 3)))), ``},
		{"contents of another wire type", grpcTensor("a", "FP64", shape, pb(5, pb(7, 1))), ``},
		{"halves in contents", grpcTensor("a", "FP16", shape, pb(5, pb(6, le(float32(1), float32(1), float32(1))))), ``},
		{"odd floats", grpcTensor("a", "FP32", shape, pb(5, pb(6, []byte{1, 2, 3}))), ``},
		{"too few", grpcTensor("a", "INT64", shape, pb(5, pb(3, varints(1, 2)))), ``},
		{"too many", grpcTensor("a", "INT64", shape, pb(5, pb(3, varints(1, 2, 3, 4)))), ``},
		{"negative shape", grpcTensor("a", "INT64", pb(3, varints(-1))), ``},
		{"unknown datatype", grpcTensor("a", "FP99", shape, pb(5, pb(6, le(float32(1), float32(1), float32(1))))), ``},
		{"cut", grpcTensor("a", "BYTES", shape, pb(5, bytes))[:20], ``},
		{"no tensors", pb(1, "model"), ``},
		{"empty", nil, ``},
	} {
		var p protocol.Parser
		s := newSheet("a")
		want := c.want
		if want != "" {
			want = "a=" + want + " unknown=0 rows=3"
		}
		m := protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPC, Body: join(pb(1, "m"), pb(4, pb(1, "parameter")), c.body)}
		check(t, c.name, p.Features(m, s), s, want)
	}
}

func TestGRPCStreamError(t *testing.T) {
	var p protocol.Parser
	for name, body := range map[string][]byte{
		"error": join(pb(1, "no"), pb(2, pb(1, "m"))), "nothing": nil, "cut": {2<<3 | 2, 5},
	} {
		s := newSheet("a")
		m := protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPCStream, Body: body}
		check(t, name, p.Predictions(m, s), s, "")
	}
}

// A decoupled model of Triton's ends its answers with one that has no outputs, where the client asks for that.
func TestGRPCStreamEnd(t *testing.T) {
	var p protocol.Parser
	end := join(pb(1, "m"), pb(3, "7"), pb(4, join(pb(1, "triton_final_response"), pb(2, "\x08\x01"))))
	for name, c := range map[string]struct {
		form protocol.Form
		body []byte
		want string
	}{
		"end":              {protocol.FormGRPCStream, pb(2, end), "a= unknown=0 rows=0"},
		"raw data of none": {protocol.FormGRPCStream, pb(2, join(end, pb(6, "12345678"))), ""},
		"not of a stream":  {protocol.FormGRPC, end, ""},
	} {
		s := newSheet("a")
		m := protocol.Message{Kind: protocol.V2, Form: c.form, Body: c.body}
		check(t, name, p.Predictions(m, s), s, c.want)
	}
	s := newSheet("a")
	m := protocol.Message{Kind: protocol.V2, Form: protocol.FormGRPCStream, Body: end}
	check(t, "request", p.Features(m, s), s, "")
}
