import { randomBytes, scrypt } from 'node:crypto';

/** `scrypt$N$r$p$salt$key`, the form in which the add-on keeps passwords. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, 32, { N: 16_384, r: 8, p: 1 }, (error, derived) =>
      error === null ? resolve(derived) : reject(error),
    );
  });
  return `scrypt$16384$8$1$${salt.toString('base64url')}$${key.toString('base64url')}`;
}
