// A real nginx in front of the program, with TLS, as the README shows it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import https from 'node:https';
import { makeCertificate } from './certificates.mjs';

const kNginx = '/usr/sbin/nginx';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** {url, port, certificate} as the requests of http.mjs want them, and close(). */
export async function startNginx(confab) {
  const directory = await mkdtemp(join(tmpdir(), 'confab-nginx-'));
  const { certificateFile, keyFile, certificate } = await makeCertificate(directory, 'proxy');
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ');
  await writeFile(join(directory, 'nginx.conf'), `
    daemon off; pid ${directory}/nginx.pid; error_log stderr warn; worker_processes 1; ${process.getuid() === 0 ? 'user root;' : ''}
    events { worker_connections 256; }
    http {
      access_log off; ${temporary}
      server {
        listen 127.0.0.1:${port} ssl; ssl_certificate ${certificateFile}; ssl_certificate_key ${keyFile};
        client_max_body_size 0;
        location / {
          proxy_pass http://127.0.0.1:${confab.port}; proxy_http_version 1.1; proxy_request_buffering off;
          proxy_set_header Host $http_host; proxy_set_header Connection "";
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
        }
      }
    }`);
  const child = spawn(kNginx, ['-e', 'stderr', '-c', join(directory, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const answers = () => new Promise((resolve) => {
    https.get({ host: '127.0.0.1', port, path: '/healthz', ca: certificate, agent: false }, (res) => resolve(res.resume().statusCode === 200)).on('error', () => resolve(false));
  });
  for (let i = 0; i < 200 && !await answers(); ++i) await sleep(50);
  return {
    url: `https://127.0.0.1:${port}`, port, certificate,
    async close() {
      child.kill('SIGTERM');
      await once(child, 'close');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
