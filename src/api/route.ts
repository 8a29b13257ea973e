import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'

/** The HTTP server as routes see it: schemas are TypeBox, so handlers get their types from them. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** One file per resource: declares its paths on the app, without the prefix `/api`, from what it needs. */
export type Route<Needs> = (app: Api, needs: Needs) => Promise<void> | void

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without credentials: health, and sockets, which bring their credentials in their first frame. */
    open?: boolean
    /** Answered however many requests are under way: what somebody looks at who wonders why. */
    always?: boolean
  }
}
