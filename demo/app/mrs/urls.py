"""The pages. /health is answered by mrs.middleware.Health."""
from django.contrib import admin
from django.urls import path

from mrs import views

admin.site.site_header = admin.site.site_title = 'MRS'
admin.site.index_title = 'Administration'

urlpatterns = [
    path('', views.index),
    path('admin/', admin.site.urls),
    path('attachments/<int:pk>', views.attachment),
]
