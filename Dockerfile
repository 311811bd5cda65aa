# The container image, for those who have Docker or podman; `make image` builds the same one without. In it are the
# program, the libraries that it is linked with, and what docs/image.md lists: no shell, no package manager.

FROM debian:13-slim AS build
WORKDIR /src
COPY tools/common.sh tools/packages.txt tools/toolbox.sh tools/
RUN apt-get update && \
    apt-get install --yes --no-install-recommends \
        $(tools/toolbox.sh packages build) $(tools/toolbox.sh packages runtime)
COPY . .
RUN cmake --log-level=NOTICE -G Ninja -S . -B .local/build/release \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_TESTING=OFF && \
    cmake --build .local/build/release --target qubesec
ARG SOURCE_DATE_EPOCH=0
RUN tools/image/build.py root .local/build/release/qubesec /image

FROM scratch
COPY --from=build /image/ /
LABEL org.opencontainers.image.title="QubeSec" \
      org.opencontainers.image.description="Post-quantum keys and certificates for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 8080 9443
USER 65532:65532
ENTRYPOINT ["/usr/bin/qubesec"]
CMD ["operator"]
