# The image: the binary, the shared libraries it loads, CA certificates, a list of what was built in, and nothing else:
# no shell, no package manager. Runs as an ordinary user on a read-only root file system.
#
#   docker build -t clawback .
#
# Builds for the architecture of the builder, x86_64 or aarch64.

FROM rust:1.95-slim-bookworm AS build
# Before the sources, so that it is built once.
RUN --mount=type=cache,id=clawback-registry,target=/usr/local/cargo/registry \
    cargo install --locked --version 0.5.9 --root /tools cargo-cyclonedx
WORKDIR /src
ENV SQLX_OFFLINE=true
COPY . .
RUN --mount=type=cache,id=clawback-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=clawback-target,target=/src/target \
    # A folder for each architecture: builds for several may share the cache.
    cargo build --release --locked --bin clawback --target-dir "target/$(uname -m)" \
    && install -D "target/$(uname -m)/release/clawback" /image/clawback
# The crates in the binary with version, checksum and license, as CycloneDX: scanners cannot see them in it.
RUN --mount=type=cache,id=clawback-registry,target=/usr/local/cargo/registry \
    /tools/bin/cargo-cyclonedx cyclonedx --all --no-build-deps --target "$(uname -m)-unknown-linux-gnu" \
        --format json --override-filename sbom \
    && install -m 644 sbom.json /image/sbom.json
# Each library at the path where the loader looks for it; `ldd` names the loader too.
RUN ldd /image/clawback | grep -o '/[^ ]*' | xargs -I '{}' cp -L --parents '{}' /image
# Without nsswitch.conf the resolver asks DNS first and may ignore /etc/hosts.
RUN mkdir -p /image/etc/ssl/certs \
    && cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'hosts: files dns' >/image/etc/nsswitch.conf \
    && echo 'clawback:x:65532:65532::/:/clawback' >/image/etc/passwd \
    && echo 'clawback:x:65532:' >/image/etc/group

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="clawback" \
    org.opencontainers.image.description="A Stripe webhook receiver for refunds and disputes" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
USER 65532:65532
# Webhooks and health. The admin listener stays on the container's loopback unless CLAWBACK_ADMIN_LISTEN says otherwise.
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/clawback", "healthcheck"]
ENTRYPOINT ["/clawback"]
CMD ["serve"]
