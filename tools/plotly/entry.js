// The flat chart types the app draws; scatter is part of the core. Names must be written out for the bundler.
const Plotly = require('plotly.js/lib/core');
Plotly.register([
  require('plotly.js/lib/bar'),
  require('plotly.js/lib/heatmap'),
]);

// The 3D chart is a file of its own, which the page's head names: fetched when the first is drawn.
let solid = null;
const fetched = () => {
  solid = solid || new Promise((done, fail) => {
    const script = document.createElement('script');
    script.src = document.getElementById('app-charts').dataset.solid;
    script.onload = done;
    script.onerror = () => { solid = null; fail(new Error('the 3D chart did not load')); };
    document.body.append(script);
  });
  return solid;
};
const isSolid = (given) => ((Array.isArray(given) ? given : given && given.data) || []).some((one) => one.type === 'scatter3d');
for (const name of ['newPlot', 'react']) {
  const draw = Plotly[name];
  Plotly[name] = (chart, given, ...rest) => (
    isSolid(given) ? fetched().then(() => draw(chart, given, ...rest)) : draw(chart, given, ...rest)
  );
}
module.exports = Plotly;
