// The 3D chart, for the pages that have one.
window.Plotly.register([require('plotly.js/lib/scatter3d')]);
