/* Dash fetches plotly.js when the first chart is there; where it finds it, it is told by the page's head. Reading its 1.8 MB
   takes half a second, in which a page that stands already can be read. */
Object.defineProperty(window, '_dashPlotlyJSURL', {
  get: () => document.getElementById('app-charts').href,
  set: () => {},
});
