/** `/collections/views`: what kinds of worker there are, for clients that make a work pool. */
import { Type } from '@sinclair/typebox'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'

const property = (title: string, description: string, schema: object) => ({ title, description, ...schema })
const nullable = (type: string) => ({ anyOf: [{ type }, { type: 'null' }], default: null })

/** What a worker of processes takes. Clients know the kinds of workers whose packages they have; this one all have. */
const PROCESS = {
  type: 'process',
  display_name: 'Process',
  description: 'Run flows as processes on the machine of the worker.',
  documentation_url: 'https://docs.prefect.io/v3/concepts/workers',
  install_command: 'pip install prefect',
  is_beta: false,
  logo_url: '',
  default_base_job_configuration: {
    job_configuration: {
      command: '{{ command }}',
      env: '{{ env }}',
      labels: '{{ labels }}',
      name: '{{ name }}',
      stream_output: '{{ stream_output }}',
      working_dir: '{{ working_dir }}',
    },
    variables: {
      type: 'object',
      properties: {
        name: property('Name', 'Name of what the worker starts.', nullable('string')),
        env: property('Environment Variables', 'Variables of the environment that the process gets.', {
          type: 'object',
          additionalProperties: { anyOf: [{ type: 'string' }, { type: 'null' }] },
        }),
        labels: property('Labels', 'Labels of what the worker starts.', {
          type: 'object',
          additionalProperties: { type: 'string' },
        }),
        command: property('Command', 'What is started; mostly left to the worker.', nullable('string')),
        stream_output: property('Stream Output', "Whether the process's output shows in the worker's.", {
          type: 'boolean',
          default: true,
        }),
        working_dir: property('Working Directory', 'Folder that it runs in; a temporary one when left out.', {
          anyOf: [{ type: 'string', format: 'path' }, { type: 'null' }],
        }),
      },
    },
  },
}
const VIEWS: Readonly<Record<string, Record<string, unknown>>> = {
  'aggregate-worker-metadata': { prefect: { process: PROCESS } },
  'aggregate-block-metadata': {},
  'aggregate-flow-metadata': {},
  'demo-flows': {},
}

export function collections(app: Api): void {
  app.get(
    '/collections/views/:view',
    {
      schema: {
        params: Type.Object({ view: Type.String() }),
        response: { 200: Type.Record(Type.String(), Type.Unknown()) },
      },
    },
    async ({ params }) => {
      const view = Object.hasOwn(VIEWS, params.view) ? VIEWS[params.view] : undefined
      if (view === undefined) throw new NotFound(`View ${params.view} not found in registry`)
      return view
    },
  )
}
