"""The first migrations, made of the models: no database lives through two versions of the stand-in."""
from django.apps import apps
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.state import ModelState


def initial(app, order=None, gone=None):
    """The migration that makes an application's tables, with columns in the order of the models.

    order has another one, by model. gone are columns that the real application has had, by model and by the column
    that comes behind: their numbers stay taken.
    """
    made, dropped, needed = [], [], set()
    for model in apps.get_app_config(app).get_models():
        state = ModelState.from_model(model)
        fields = dict(state.fields)
        refer = model._meta.local_fields + model._meta.local_many_to_many
        needed |= {field.related_model._meta.app_label for field in refer if field.related_model} - {app}
        for name in (order or {}).get(state.name, '').split():
            fields[name] = fields.pop(name)
        columns = []
        for name, field in fields.items():
            before = (gone or {}).get(state.name, {}).get(name)
            if before:
                columns.append((before, models.IntegerField(null=True)))
                dropped.append(operations.RemoveField(state.name, before))
            columns.append((name, field))
        made.append(operations.CreateModel(state.name, columns, state.options, state.bases, state.managers))
    return type('Migration', (Migration,), {
        'initial': True, 'dependencies': [(label, '__first__') for label in sorted(needed)],
        'operations': made + dropped})
