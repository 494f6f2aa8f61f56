# The image of Lifeboat's worker and command line. Node itself comes with the dependencies, pinned by the lockfile; the
# base only needs npm, tar and certificates.
ARG BASE=node:24-bookworm-slim
FROM ${BASE}

WORKDIR /opt/lifeboat
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund --loglevel=error && npm cache clean --force --loglevel=error

COPY activities activities
COPY bin bin
COPY charts charts
COPY cli cli
COPY model model
COPY transfer transfer
COPY workers workers
COPY workflows workflows

# In the cache that every user of the image reads: helm and kubectl, pinned and checksummed, and the workflow bundle.
ENV XDG_CACHE_HOME=/var/cache
RUN node_modules/.bin/node --input-type=module -e "\
  import { findTool } from '/opt/lifeboat/workers/tools/find-tool.ts'; \
  import { workflowBundle } from '/opt/lifeboat/workers/workflow-bundle.ts'; \
  for (const tool of ['helm', 'kubectl']) await findTool(tool, console.log); \
  await workflowBundle()" \
  && ln -s /opt/lifeboat/bin/lifeboat.js /usr/local/bin/lifeboat

# Any user may run it; what it writes goes to /tmp.
ENV HOME=/tmp NODE_ENV=production
USER 1000:1000
WORKDIR /platform
ENTRYPOINT ["lifeboat"]
CMD ["worker"]
