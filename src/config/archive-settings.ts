/** Settings of the archive: where days that leave the log are kept. */
import { Type } from '@sinclair/typebox'
import { duration, optional, text } from './setting.ts'

export const archive = Type.Object({
  url: optional(
    text({
      environment: 'MILLRACE_ARCHIVE_URL',
      default: '',
      pattern: '^(file:///.+|s3://[a-z0-9][a-z0-9.-]+(/.*)?)$',
      allowed: 'file:///folder or s3://bucket/prefix',
      description:
        'Where days of the log are written before they are dropped; unset, nowhere. See [retention.md](retention.md#archive).',
    }),
  ),
  s3: Type.Object({
    endpoint: optional(
      text({
        environment: 'MILLRACE_ARCHIVE_S3_ENDPOINT',
        default: '',
        pattern: '^https?://[^/@?#\\s]+(/[^@?#\\s]*)?$',
        allowed: 'the http:// or https:// URL of a server, without a login in it: that has settings of its own',
        description: "URL of an S3-compatible server; unset, Amazon's of the region.",
      }),
    ),
    region: text({
      environment: 'MILLRACE_ARCHIVE_S3_REGION',
      default: 'us-east-1',
      description: 'Region of the bucket.',
    }),
    accessKeyId: optional(
      text({
        environment: 'MILLRACE_ARCHIVE_S3_ACCESS_KEY_ID',
        default: '',
        description: 'Key that may read, write and list the bucket.',
      }),
    ),
    secretAccessKey: optional(
      text({
        environment: 'MILLRACE_ARCHIVE_S3_SECRET_ACCESS_KEY',
        default: '',
        secret: true,
        description: 'Its secret.',
      }),
    ),
    sessionToken: optional(
      text({
        environment: 'MILLRACE_ARCHIVE_S3_SESSION_TOKEN',
        default: '',
        secret: true,
        description: 'Token that goes with a temporary key.',
      }),
    ),
  }),
  timeoutMs: duration({
    environment: 'MILLRACE_ARCHIVE_TIMEOUT',
    default: '2m',
    minimum: '1s',
    maximum: '1h',
    description: 'Longest time for one object to be written to S3 or read from it.',
  }),
})
