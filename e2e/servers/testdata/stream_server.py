"""ModelStreamInfer over a model of train.py, as Triton has it: stream_server.py FILE PORT

The model `twice` answers like a decoupled one: with two responses of half of the
rows each and, if the request asks for that, an empty one at the end. `abort` ends
the stream, and any other but `numbers` is unknown."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import joblib
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc


class Rides(service_pb2_grpc.GRPCInferenceServiceServicer):
    def __init__(self, model):
        self.model = model

    def answer(self, request, rows):
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        answer.parameters["triton_final_response"].bool_param = not len(rows)
        if len(rows):
            found = self.model.predict(rows)
            answer.outputs.add(name="minutes", datatype="FP64", shape=[len(found), 1])
            answer.raw_output_contents.append(found.tobytes())
        return service_pb2.ModelStreamInferResponse(infer_response=answer)

    def ModelStreamInfer(self, requests, context):
        for request in requests:
            rows = np.frombuffer(request.raw_input_contents[0]).reshape(request.inputs[0].shape)
            if request.model_name == "numbers":
                yield self.answer(request, rows)
            elif request.model_name == "twice":
                half = len(rows) // 2
                parts = [rows[:half], rows[half:]]
                if request.parameters["triton_enable_empty_final_response"].bool_param:
                    parts.append(rows[:0])
                yield from (self.answer(request, part) for part in parts)
            elif request.model_name == "abort":
                context.abort(grpc.StatusCode.DATA_LOSS, "as asked")
            else:
                yield service_pb2.ModelStreamInferResponse(error_message=f"unknown model {request.model_name}")


path, port = sys.argv[1:]
server = grpc.server(ThreadPoolExecutor(16))
service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Rides(joblib.load(path)), server)
server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
server.wait_for_termination()
