// Two files: plotly.js with the flat charts, and the 3D chart, which finds the modules it shares with the first there.
import { build } from 'esbuild';
import { relative, resolve } from 'node:path';

const assets = '../../assets';
const common = {
  bundle: true, minify: true, format: 'iife', legalComments: 'eof', metafile: true, logLevel: 'warning',
  define: { global: 'window' }, loader: { '.css': 'empty' },
};
const SHARED = 'window.Plotly.shared';
const inputs = (made) => new Set(Object.keys(made.metafile.inputs).map((name) => resolve(name)));
const name = (path) => relative('node_modules', path);

const flat = inputs(await build({ ...common, entryPoints: ['entry.js'], globalName: 'Plotly', write: false }));
const asked = new Set();
const shared = {
  name: 'shared',
  setup(made) {
    made.onLoad({ filter: /\.c?js$/ }, ({ path }) => {
      if (!flat.has(path)) return undefined;
      asked.add(path);
      return { contents: `module.exports = ${SHARED}[${JSON.stringify(name(path))}]();`, loader: 'js' };
    });
  },
};
await build({ ...common, entryPoints: ['solid.js'], outfile: `${assets}/06-plotly-3d.min.js`, plugins: [shared] });

const given = [...asked].sort().map((path) => `${JSON.stringify(name(path))}: () => require(${JSON.stringify(path)})`);
await build({
  ...common, globalName: 'Plotly', outfile: `${assets}/05-plotly.min.js`,
  stdin: { contents: `module.exports = require('./entry.js'); module.exports.shared = {${given.join(',')}};`, resolveDir: '.' },
});
