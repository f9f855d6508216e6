# Build: types are stripped, assets copied, development packages left behind, and what only editors and debuggers read.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc LICENSE ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY .ci/copy-assets.mjs .ci/copy-assets.mjs
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts && chmod +x dist/main.js
RUN find node_modules dist -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

# Run: git and ssh for sources, and tini, since git leaves children behind when it is ended and the first process has to bury them.
# No root, and nothing is written outside of /var/lib/plumbline and /tmp.
FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends git openssh-client ca-certificates tini \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --home-dir /var/lib/plumbline --create-home plumbline
WORKDIR /opt/plumbline
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
RUN ln -s /opt/plumbline/dist/main.js /usr/local/bin/plumbline
USER 10001:10001
ENV NODE_ENV=production \
    PLUMBLINE_CONFIG=/etc/plumbline \
    PLUMBLINE_STATE_DIR=/var/lib/plumbline \
    PLUMBLINE_LOG_FORMAT=json
VOLUME ["/var/lib/plumbline", "/tmp"]
EXPOSE 8480 8481
ENTRYPOINT ["tini", "--", "node", "--max-semi-space-size=8", "/opt/plumbline/dist/main.js"]
CMD ["start"]
