/** A Fastify with our limits, errors and credentials, and no routes yet; not listening. */
import { type FastifyBaseLogger, fastify, LogController } from 'fastify'
import type { Settings } from '../config.ts'
import { NotFound } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { requireAuth } from './auth.ts'
import { limitConcurrency } from './concurrency.ts'
import { connectionTimes, cutStragglersOnClose, refuseConnection } from './connections.ts'
import { answerError, errorResponses } from './error-handler.ts'
import { limitRate } from './rate-limit.ts'
import { countRefusals } from './refusals.ts'
import type { Api } from './route.ts'
import { compileValidator } from './validation.ts'

const MAX_PARAM_LENGTH = 256
export interface ServerNeeds {
  readonly settings: Settings
  readonly log: Log
  readonly metrics: Metrics
}

/** @returns a server whose routes, errors, limits and credentials work alike, wherever it runs */
export async function createServer({ settings, log, metrics }: ServerNeeds): Promise<Api> {
  const { bodyTimeoutMs, authString, rateLimit, trustedProxies } = settings.server
  const app: Api = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trustedProxies ?? false,
    bodyLimit: settings.ingest.maxBodyBytes,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAM_LENGTH },
    ...connectionTimes(bodyTimeoutMs),
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    frameworkErrors: (error, request, reply) => answerError(error, request, reply),
    clientErrorHandler: refuseConnection,
  })
  app.setValidatorCompiler(compileValidator)
  app.setErrorHandler(answerError)
  app.setNotFoundHandler(({ method, url }) => {
    throw new NotFound(`Not Found: there is no ${method} ${url.split('?')[0]}`)
  })
  app.addHook('onRoute', (route) => {
    route.schema = {
      ...route.schema,
      response: { ...errorResponses, ...(route.schema?.response as object | undefined) },
    }
  })
  countRefusals(app, metrics)
  await limitRate(app, rateLimit, metrics)
  limitConcurrency(app, metrics)
  requireAuth(app, authString)
  cutStragglersOnClose(app)
  return app
}
