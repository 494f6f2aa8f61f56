/** age-encryption, loaded where it is asked: most commands need none of it, and it is an eighth of the time in which one starts. */
export const loadAge = async () => await import('age-encryption');
