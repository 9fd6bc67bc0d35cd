from django.apps import AppConfig


class Djcall(AppConfig):
    name = 'djcall'

    def ready(self):
        try:
            import uwsgi  # noqa: F401
        except ImportError:
            return
        from djcall import jobs
        jobs.write_rows()
        jobs.register()
