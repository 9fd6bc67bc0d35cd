from mrs.tables import initial

Migration = initial('caisse')
