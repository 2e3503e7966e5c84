"""Fashion Forward. `python app.py` serves it; other WSGI servers take `server`."""

import sys

from dashboard import serve

options = serve.options(sys.argv[1:] if __name__ == "__main__" else None)  # a busy port ends it before slow imports

from dashboard.shell import create_app  # noqa: E402

app = create_app(options.artifacts, read_only=options.read_only)
server = serve.warm(app)

if __name__ == "__main__":
    serve.run(server, options)
