from mrs.tables import initial

Migration = initial('institution')
