"""Fashion Forward. `python app.py` serves it; other WSGI servers take `server`."""

import gc
import sys

if __name__ != "__mp_main__":  # a background callback's interpreter imports this file, and needs no second app
    gc.disable()  # what is imported stays: to look through it again and again takes a sixth of the start

    from ml.system import memory

    if __name__ == "__main__":
        memory.limit_malloc()
        memory.leave_out_clouds()

    from dashboard.web import server as web

    options = web.options(sys.argv[1:] if __name__ == "__main__" else None)  # a busy port ends it before slow imports

    from dashboard.shell import create_app

    app = create_app(options.artifacts, read_only=options.read_only)
    server = web.warm(app)  # from here on garbage is collected

if __name__ == "__main__":
    web.run(server, options)
