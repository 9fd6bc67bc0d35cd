from mrs.tables import initial

Migration = initial('security_headers')
