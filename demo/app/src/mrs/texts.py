"""What the insured, the public and the agents of people.py write."""

# Of a rating.
RATINGS = ['', '', '', '', '', 'Très simple, merci !', 'Je n\'ai pas compris la page "Transports".',
           'Trop long…\r\nMerci de me rappeler au {phone}, {first} {last}.',
           'Ma fille {first} a dû tout faire, le NIR {nir} était refusé.']

# Of somebody who writes to the team.
MESSAGES = [
    'Bonjour,\r\n\r\nMa demande {display_id} est-elle bien arrivée ?\r\nCordialement,\r\n{first} {last}',
    'Bonjour, je me suis trompé(e) de numéro de sécurité sociale, c\'est {nir} et non celui de mon épouse.'
    ' Vous pouvez me joindre au {phone}.\r\n{first} {last}, {street}',
    'Mon adresse est maintenant {email}\tet non plus celle de la demande. M. ou Mme {last}, né(e) le {born}',
    'Le fichier C:\\scans\\{last}.pdf est refusé, que faire ? Je suis en dialyse trois fois par semaine.',
    'Une faute dans la page « Contact ».',
]

# Of an agent who puts a request aside.
SUSPENSIONS = [
    'Attente du bulletin de présence', 'En attente du service médical', 'Rappeler {last} au {phone}',
    'Appel de {first} {last} le matin : enverra la PMT, tél. {phone}', 'NIR à vérifier ({nir}), homonyme ?',
    'Double de la demande de {last} {first}, né(e) le {born}\r\nvu avec le service "AT/MP"',
]

# The mails that agents choose from: menu, name, subject, body.
TEMPLATES = [
    ('reject', 'Hors délai', 'Votre demande {{ display_id }}', 'Bonjour,\n\nVotre trajet est trop ancien.'),
    ('reject', 'Sans prescription', 'Votre demande {{ display_id }}', 'Bonjour,\n\nIl manque une prescription.'),
    ('reject', 'Trajet refusé', 'Votre demande {{ display_id }}', 'Bonjour,\n\nCe trajet est à votre charge.'),
    ('contact', 'Justificatif illisible', 'Un justificatif', 'Bonjour,\n\nPouvez-vous l\'envoyer à nouveau ?'),
    ('contact', 'Autre', 'Votre demande', ''),
]

RECEIVED = ('Bonjour {first} {last},\n\nVotre demande du {day} a été reçue sous le numéro {display_id}.\n'
            'Pour l\'annuler : https://www.mrs.example/mrsrequest/cancel/{request}/{token}/\n\nL\'équipe MRS')
BY_AGENT = '{body}\n\nConcerne : {first} {last}, NIR {nir}\nL\'agent {agent}'
ACCESS = 'Bonjour {first} {last},\n\nVoici votre accès à MRS.\nIdentifiant : {username}\nMot de passe : {password}\n'
TRACEBACK = ('Traceback (most recent call last):\n  File "/app/src/djcall/models.py", line 90, in call\n'
             '    self.result = import_string(self.caller.callback)(**self.caller.kwargs or {{}})\n'
             'smtplib.SMTPRecipientsRefused: {{\'{email}\': (450, b\'4.2.1 try again later\')}}\n')

# What admins have asked the database: title, SQL.
QUERIES = [
    ('Demandes suspendues', 'select display_id from mrsrequest_mrsrequest where suspended'),
    ('Dossier de M. ou Mme {last}', "select * from person_person where nir = '{nir}'"),
    ('Doublons', 'select nir, count(*) from person_person group by nir having count(*) > 1'),
    ('Courriel', "select id from person_person where email = '{email}' or last_name ilike '{last}'"),
]
