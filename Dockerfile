# The images of Leeway's three programs, one target each:
#
#	docker build --target sidecar -t leeway-sidecar .
#	docker build --target agent   -t leeway-agent .
#	docker build --target cli     -t leeway .
#
# An image is a program and the CA certificates, nothing else. The same source
# gives the same program. The user is a number, so that runAsNonRoot can see
# that it is not root.

FROM golang:1.26 AS build
WORKDIR /src
ENV CGO_ENABLED=0
COPY . .

FROM build AS build-sidecar
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -buildid=" -o /out/ ./cmd/leeway-sidecar

FROM scratch AS sidecar
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build-sidecar /out/leeway-sidecar /
USER 65532:65532
ENTRYPOINT ["/leeway-sidecar"]

FROM build AS build-agent
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -buildid=" -o /out/ ./cmd/leeway-agent

FROM scratch AS agent
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build-agent /out/leeway-agent /
USER 65532:65532
ENTRYPOINT ["/leeway-agent"]

FROM build AS build-cli
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -buildid=" -o /out/ ./cmd/leeway

FROM scratch AS cli
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build-cli /out/leeway /
USER 65532:65532
ENTRYPOINT ["/leeway"]
