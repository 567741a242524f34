# Two images out of one tree: `--target server` runs a member as etcd's image does, `--target operator` runs the operator.
#
#   BUILD_IMAGE   Node.js 24 with npm, Debian 12: only to build
#   RUN_IMAGE     Node.js 24 without a shell or package manager, Debian 12: what is shipped
#   NODE          where RUN_IMAGE has node
#   VERSION       of package.json; REVISION and CREATED: of the commit and of the build, for the labels
#
# Whoever publishes gives the two images by digest (`--build-arg RUN_IMAGE=gcr.io/...@sha256:...`). Docker's own health
# check needs `--format docker` with buildah; Kubernetes does not look at it.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian12:latest

FROM ${BUILD_IMAGE} AS packages
WORKDIR /project
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error

FROM ${BUILD_IMAGE} AS compiled
WORKDIR /project
COPY package.json package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error
COPY tsconfig.json ./
COPY server server
COPY operator operator
RUN node node_modules/typescript/bin/tsc -p . --sourceMap false

FROM packages AS assembled
ARG NODE=/nodejs/bin/node
COPY LICENSE ./
COPY images images
COPY --from=compiled /project/dist dist
RUN node images/assemble.mjs server . /server ${NODE} && node images/assemble.mjs operator . /operator ${NODE} \
 && mkdir /bin-server /bin-operator \
 && ln -s /opt/kvorum/dist/server/cli/main.js /bin-server/etcd \
 && ln -s /opt/kvorum/dist/server/cli/main.js /bin-server/kvorum \
 && ln -s /opt/kvorum/health.mjs /bin-server/kvorum-health \
 && ln -s /opt/kvorum/dist/operator/cli/main.js /bin-operator/kvorum-operator \
 && ln -s /opt/kvorum/put-get.mjs /bin-operator/kvorum-put-get

# No USER: like etcd's image it runs as whoever the Pod says; ours say 65532. Nothing is written outside the data directory.
FROM ${RUN_IMAGE} AS server
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="kvorum-server" \
      org.opencontainers.image.description="The etcd v3 store in TypeScript" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      dev.kvorum.etcd-version="3.7.3"
ENV NODE_ENV=production
COPY --from=assembled /server /opt/kvorum
COPY --from=assembled /bin-server /usr/local/bin
WORKDIR /var/lib/etcd
EXPOSE 2379 2380 2381
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/kvorum-health"]
ENTRYPOINT []
CMD ["/usr/local/bin/etcd"]

FROM ${RUN_IMAGE} AS operator
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="kvorum-operator" \
      org.opencontainers.image.description="Runs clusters of Kvorum on Kubernetes" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
COPY --from=assembled /operator /opt/kvorum
COPY --from=assembled /bin-operator /usr/local/bin
WORKDIR /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/kvorum-operator"]
