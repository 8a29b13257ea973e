# The API server or the background services of Millrace; the command says which. It works on the Redis and Postgres that
# the environment names (MILLRACE_REDIS_URL, MILLRACE_DATABASE_URL): the embedded ones are not in this image.
FROM node:24-slim

WORKDIR /app
COPY package.json package-lock.json ./
# Left out: what tests need, another Node, and the programs of Postgres. No install script is needed.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY LICENSE ./
COPY bin bin
COPY migrations migrations
COPY projections projections
COPY src src

ENV NODE_ENV=production MILLRACE_SERVER_HOST=0.0.0.0 MILLRACE_METRICS_HOST=0.0.0.0
USER node
EXPOSE 4200
ENTRYPOINT ["node", "/app/bin/millrace.js"]
CMD ["server", "start"]
