/**
 * What Prefect's server answers to: each operation of the OpenAPI description that `prefect` 3.9.1 makes of itself
 * (`prefect.server.api.server.create_api_app().openapi()`), without those of its web pages (`/ui/…`), and its sockets. In
 * groups by who needs them.
 */

/** To run flows with tasks. */
export const RUNNING = lines(`
GET /health
POST /flows/
GET /flows/{id}
POST /flow_runs/
PATCH /flow_runs/{id}
GET /flow_runs/{id}
POST /flow_runs/filter
POST /flow_runs/{id}/set_state
POST /task_runs/
GET /task_runs/{id}
POST /logs/
POST /v2/concurrency_limits/increment-with-lease
POST /v2/concurrency_limits/decrement-with-lease
POST /v2/concurrency_limits/leases/{lease_id}/renew
GET /csrf-token
GET /admin/version
GET /admin/storage
WS /events/in
`)

/** To serve and deploy flows, for workers, events, and what the command line reads. */
export const DEPLOYING = lines(`
DELETE /flows/{id}
GET /flows/name/{name}
POST /flows/filter
DELETE /flow_runs/{id}
POST /flow_runs/count
POST /flow_runs/{id}/resume
POST /flow_runs/{id}/input
POST /flow_runs/{id}/input/filter
GET /flow_runs/{id}/input/{key}
DELETE /flow_runs/{id}/input/{key}
PATCH /flow_runs/{id}/labels
PATCH /task_runs/{id}
DELETE /task_runs/{id}
POST /task_runs/filter
POST /task_runs/{id}/set_state
GET /flow_run_states/{id}
GET /flow_run_states/
GET /task_run_states/
POST /deployments/
PATCH /deployments/{id}
GET /deployments/{id}
DELETE /deployments/{id}
GET /deployments/name/{flow_name}/{deployment_name}
POST /deployments/filter
POST /deployments/get_scheduled_flow_runs
POST /deployments/{id}/create_flow_run
GET /deployments/{id}/schedules
POST /deployments/{id}/schedules
PATCH /deployments/{id}/schedules/{schedule_id}
DELETE /deployments/{id}/schedules/{schedule_id}
POST /logs/filter
POST /work_pools/
GET /work_pools/{name}
PATCH /work_pools/{name}
DELETE /work_pools/{name}
POST /work_pools/filter
POST /work_pools/{name}/concurrency_status
POST /work_pools/{name}/get_scheduled_flow_runs
POST /work_pools/{work_pool_name}/queues
GET /work_pools/{work_pool_name}/queues/{name}
POST /work_pools/{work_pool_name}/queues/filter
POST /work_pools/{work_pool_name}/workers/heartbeat
POST /work_pools/{work_pool_name}/workers/filter
POST /work_queues/
PATCH /work_queues/{id}
GET /work_queues/{id}
DELETE /work_queues/{id}
GET /work_queues/name/{name}
POST /work_queues/{id}/get_runs
POST /work_queues/filter
POST /work_queues/{id}/concurrency_status
GET /work_queues/{id}/status
GET /collections/views/{view}
POST /events
POST /events/filter
GET /events/filter/next
POST /events/count-by/{countable}
DELETE /automations/owned-by/{resource_id}
GET /hello
WS /events/out
WS /logs/out
WS /task_runs/subscriptions/scheduled
`)

/** Automations, blocks, and what operators and web pages ask for. */
export const REST = lines(`
GET /version
PATCH /flows/{id}
POST /flows/count
POST /flows/bulk_delete
POST /flows/paginate
POST /flow_runs/lateness
POST /flow_runs/history
GET /flow_runs/{id}/graph
GET /flow_runs/{id}/graph-v2
POST /flow_runs/bulk_delete
POST /flow_runs/bulk_set_state
POST /flow_runs/paginate
GET /flow_runs/{id}/logs/download
POST /task_runs/count
POST /task_runs/history
POST /task_runs/paginate
GET /task_run_states/{id}
POST /deployments/paginate
POST /deployments/count
POST /deployments/bulk_delete
POST /deployments/{id}/schedule
POST /deployments/{id}/resume_deployment
POST /deployments/{id}/pause_deployment
POST /deployments/{id}/create_flow_run/bulk
GET /deployments/{id}/work_queue_check
PUT /saved_searches/
GET /saved_searches/{id}
DELETE /saved_searches/{id}
POST /saved_searches/filter
POST /concurrency_limits/
GET /concurrency_limits/{id}
DELETE /concurrency_limits/{id}
GET /concurrency_limits/tag/{tag}
DELETE /concurrency_limits/tag/{tag}
POST /concurrency_limits/filter
POST /concurrency_limits/tag/{tag}/reset
POST /concurrency_limits/increment
POST /concurrency_limits/decrement
POST /v2/concurrency_limits/
GET /v2/concurrency_limits/{id_or_name}
PATCH /v2/concurrency_limits/{id_or_name}
DELETE /v2/concurrency_limits/{id_or_name}
POST /v2/concurrency_limits/filter
POST /v2/concurrency_limits/increment
POST /v2/concurrency_limits/decrement
POST /block_types/
GET /block_types/{id}
PATCH /block_types/{id}
DELETE /block_types/{id}
GET /block_types/slug/{slug}
POST /block_types/filter
GET /block_types/slug/{slug}/block_documents
GET /block_types/slug/{slug}/block_documents/name/{block_document_name}
POST /block_types/install_system_block_types
POST /block_documents/
POST /block_documents/filter
POST /block_documents/count
GET /block_documents/{id}
DELETE /block_documents/{id}
PATCH /block_documents/{id}
POST /work_pools/count
PATCH /work_pools/{work_pool_name}/queues/{name}
DELETE /work_pools/{work_pool_name}/queues/{name}
DELETE /work_pools/{work_pool_name}/workers/{name}
POST /task_workers/filter
POST /artifacts/
GET /artifacts/{id}
PATCH /artifacts/{id}
DELETE /artifacts/{id}
GET /artifacts/{key}/latest
POST /artifacts/filter
POST /artifacts/latest/filter
POST /artifacts/count
POST /artifacts/latest/count
POST /block_schemas/
DELETE /block_schemas/{id}
GET /block_schemas/{id}
POST /block_schemas/filter
GET /block_schemas/checksum/{checksum}
GET /block_capabilities/
POST /variables/
GET /variables/{id}
PATCH /variables/{id}
DELETE /variables/{id}
GET /variables/name/{name}
PATCH /variables/name/{name}
DELETE /variables/name/{name}
POST /variables/filter
POST /variables/count
POST /automations/
PUT /automations/{id}
PATCH /automations/{id}
DELETE /automations/{id}
GET /automations/{id}
POST /automations/filter
POST /automations/count
GET /automations/related-to/{resource_id}
POST /templates/validate
POST /automations/templates/validate
GET /admin/settings
PUT /admin/storage
DELETE /admin/storage
GET /ready
WS /work_pools/{name}/workers/connect
GET /observed-states
`)

/** A method (`WS` for a socket) and a path after `/api`, with the names of its parameters in braces. */
function lines(text: string): readonly string[] {
  return text.trim().split('\n')
}
