from mrs.tables import initial

Migration = initial('mrsrequest', gone={'MRSRequest': {
    'display_id': 'creation_ip', 'mandate_datevp': 'reject_template', 'payment_amount': 'shift'}})
