"""Fashion Forward. `python app.py` serves it; other WSGI servers take `server`."""

import sys

from dashboard import serve

if __name__ != "__mp_main__":  # a background callback's interpreter imports this file, and needs no second app
    options = serve.options(sys.argv[1:] if __name__ == "__main__" else None)  # a busy port ends it before slow imports

    from dashboard.shell import create_app

    app = create_app(options.artifacts, read_only=options.read_only)
    server = serve.warm(app)

if __name__ == "__main__":
    serve.run(server, options)
