import type { ServiceDescription } from './service.ts'

/** Not started like the others: it lives in the API server whose sockets it serves. */
export const eventStream: ServiceDescription = {
  name: 'event-stream',
  title: 'sends live events to WebSocket subscribers',
  description:
    'Follows the streams and sends each new event to the subscribers of this API server whose filter it passes.',
  setting: 'services.eventStream.enabled',
  environment: 'MILLRACE_SERVICES_EVENT_STREAM_ENABLED',
}
