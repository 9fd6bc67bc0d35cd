"""The pages."""
from django.contrib import admin
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from mrs import views

admin.site.site_header = admin.site.site_title = 'MRS'
admin.site.index_title = 'Administration'

urlpatterns = [
    path('', views.index, name='front'),
    path('demande', csrf_exempt(views.demande), name='demande'),
    path('maintenance/', views.maintenance, name='maintenance'),
    path('manifest.json', views.manifest, name='manifest'),
    path('admin/', admin.site.urls),
    path('attachments/<int:pk>', views.attachment, name='attachment'),
]
