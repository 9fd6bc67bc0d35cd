from mrs.tables import initial

Migration = initial('mrsuser', gone={'User': {'is_active': 'is_staff', 'number': 'profile'}})
