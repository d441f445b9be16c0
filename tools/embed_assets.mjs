// Compresses the built page and makes two files of it: assets.S, which includes the bytes, and embedded_assets.cpp, their table.
//   node tools/embed_assets.mjs DIST OUT      (DIST "-" makes an empty table)
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [dist, out] = process.argv.slice(2);
const types = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8", ".json": "application/json",
};

function list(folder) {
    return readdirSync(folder).sort().flatMap((name) => {
        const path = join(folder, name);
        return statSync(path).isDirectory() ? list(path) : [path];
    });
}

const brotli = (data) => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } });

mkdirSync(out, { recursive: true });
let assembly = '    .section .rodata\n';
let declarations = "";
let rows = "";
(dist === "-" ? [] : list(dist)).forEach((path, index) => {
    const data = readFileSync(path);
    const address = "/" + relative(dist, path).split(sep).join("/");
    const versions = { plain: data, gzip: gzipSync(data, { level: 9 }), brotli: brotli(data) };
    const fields = [];
    for (const [kind, bytes] of Object.entries(versions)) {
        const symbol = `confab_asset_${index}_${kind}`;
        const file = join(out, symbol + ".bin");
        writeFileSync(file, bytes);
        assembly += `    .global ${symbol}\n${symbol}:\n    .incbin "${file}"\n`;
        declarations += `extern "C" const char ${symbol}[];\n`;
        fields.push(`{${symbol}, ${bytes.length}}`);
    }
    const etag = createHash("sha256").update(data).digest("hex").slice(0, 16);
    const type = types[extname(path)] ?? "application/octet-stream";
    const immutable = address.startsWith("/assets/");
    rows += `    {"${address}", "${type}", "\\"${etag}\\"", ${immutable}, ${extname(path) === ".html"}, ${fields.join(", ")}},\n`;
});
assembly += '    .section .note.GNU-stack,"",@progbits\n';
writeFileSync(join(out, "assets.S"), assembly);
writeFileSync(join(out, "embedded_assets.cpp"), `// Made by tools/embed_assets.mjs.
#include "web/assets.hpp"

#include <vector>

${declarations}
namespace confab::web {

std::span<const Asset> embedded_assets() {
    static const std::vector<Asset> kAssets{
${rows.replace(/^    /gm, "        ")}    };
    return kAssets;
}

}  // namespace confab::web
`);
