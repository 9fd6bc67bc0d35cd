from mrs.tables import initial

Migration = initial('mrsattachment', gone={'MRSAttachment': {'attachment_file': 'binary'}})
