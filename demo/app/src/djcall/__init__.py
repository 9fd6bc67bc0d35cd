default_app_config = 'djcall.apps.Djcall'
