import { type FailureCode, failure, LifeboatFailure } from '../../model/failures.ts';

const denied = new Set([
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'AllAccessDisabled',
  'AccountProblem',
  'CredentialsProviderError',
  'AuthorizationHeaderMalformed',
  'InvalidSecurity',
  'NotSignedUp',
  'XAdminUserNotFound',
]);
const full = new Set([
  'QuotaExceeded',
  'XMinioStorageFull',
  'InsufficientStorage',
  'StorageFull',
  'EntityTooLarge',
  'XAmzQuotaExceeded',
]);
/** The bytes were changed or lost on their way: sent again they may arrive. */
const changedOnTheWay = new Set([
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'InvalidDigest',
  'IncompleteBody',
  'InvalidPart',
  'RequestTimeout',
]);
const network = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ABORT_ERR',
]);

type S3Error = Error & { code?: unknown; $metadata?: { httpStatusCode?: number }; $response?: { statusCode?: number } };

/** The HTTP status of an error of the SDK. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { $metadata, $response } = error as S3Error;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Whether an error of the SDK has this name or this status. */
export function isS3Error(error: unknown, name: string, status?: number): boolean {
  return error instanceof Error && (error.name === name || (status !== undefined && statusOf(error) === status));
}

/** What an error of the SDK means for a store; an unknown one stays a defect. */
export function s3Failure(error: unknown, doing: string, subject?: string): unknown {
  if (error instanceof LifeboatFailure || !(error instanceof Error)) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  return failure(code, {
    message: `${doing}: ${saidBy(error)}`,
    cause: error,
    ...(subject === undefined ? {} : { subject }),
  });
}

/** What an error says of its cause. The answer to a HEAD has no body: its status is all there is. */
function saidBy(error: S3Error): string {
  if (error.name === 'Unknown' || error.name === 'UnknownError') return `HTTP ${String(statusOf(error))}`;
  const name = error.name === 'Error' ? String(error.code) : error.name;
  return error.message === '' || error.message === error.name ? name : `${name}, ${error.message.slice(0, 200)}`;
}

function codeOf(error: S3Error): FailureCode | undefined {
  const status = statusOf(error);
  if (error.name === 'NoSuchBucket' || error.name === 'PermanentRedirect' || status === 301) return 'StoreNotFound';
  if (error.name === 'NoSuchKey') return 'ObjectNotFound';
  if (error.name === 'RequestTimeTooSkewed') return 'ClockSkew';
  if (denied.has(error.name) || status === 401 || status === 403) return 'StoreDenied';
  if (full.has(error.name) || status === 507) return 'StoreFull';
  if (error.name === 'PreconditionFailed' || status === 412) return 'ObjectExists';
  if (changedOnTheWay.has(error.name) || error.name === 'TimeoutError' || error.name === 'AbortError')
    return 'StoreUnreachable';
  if (typeof error.code === 'string' && network.has(error.code)) return 'StoreUnreachable';
  if (status === 429 || (status !== undefined && status >= 500)) return 'StoreUnreachable';
  return undefined;
}
