import { gzipSync } from 'node:zlib';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// The hub embeds each file twice, plain and compressed, and sends what the reader accepts.
function compressed(): Plugin {
  const visit = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) {
        visit(path);
      } else if (/\.(js|css|svg)$/.test(name)) {
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    }
  };
  return { name: 'compressed', apply: 'build', closeBundle: () => visit('dist') };
}

export default defineConfig({
  plugins: [compressed()],
  test: { testTimeout: 300_000 }, // a limit for what hangs, not a measure
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the content security policy knows no data: URLs
  },
});
