from mrs.tables import initial

Migration = initial('djcall', order={
    'Caller': 'id status created spooled started ended kwargs callback max_attempts spooler priority parent'
              ' signal_number',
    'Call': 'id created spooled started ended result exception status caller parent',
    'Cron': 'id minute hour day month weekday caller',
})
