import { failure, LifeboatFailure } from '../model/failures.ts';

/** What an error of the filesystem means for a store; an unknown one stays a defect. */
export function filesystemFailure(error: unknown, doing: string): unknown {
  if (error instanceof LifeboatFailure || !(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const message = `${doing}: ${code}`;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return failure('StoreFull', { message, cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return failure('StoreDenied', { message, cause: error });
    case 'EIO':
    case 'ESTALE':
    case 'ENOTCONN':
    case 'ETIMEDOUT':
    case 'EHOSTDOWN':
    case 'EMFILE':
    case 'ENFILE':
      return failure('StoreUnreachable', { message, cause: error });
    // link() is what keeps a second writer of one name out
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOSYS':
      return failure('StoreNotConditional', { message, cause: error });
    default:
      return error;
  }
}

/** Whether an error of the filesystem has one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
