// The chart types the app draws; scatter is part of the core. Names must be written out for the bundler.
const Plotly = require('plotly.js/lib/core');
Plotly.register([
  require('plotly.js/lib/bar'),
  require('plotly.js/lib/heatmap'),
  require('plotly.js/lib/histogram'),
  require('plotly.js/lib/image'),
  require('plotly.js/lib/scatter3d'),
]);
module.exports = Plotly;
