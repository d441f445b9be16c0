// Certificates for the tests, made by openssl: self-signed, for 127.0.0.1.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Writes NAME.crt and NAME.key into `directory`; `password` encrypts the key. Returns their paths and the certificate. */
export async function makeCertificate(directory, name, { password } = {}) {
  const certificateFile = join(directory, `${name}.crt`);
  const keyFile = join(directory, `${name}.key`);
  await run('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '3', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=IP:127.0.0.1', '-out', certificateFile, '-keyout', keyFile, ...(password ? ['-passout', `pass:${password}`] : ['-nodes']),
  ]);
  return { certificateFile, keyFile, certificate: await readFile(certificateFile) };
}
