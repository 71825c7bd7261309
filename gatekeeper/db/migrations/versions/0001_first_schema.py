"""The first schema"""

import sqlalchemy as sa
from alembic import op

from gatekeeper.db.ledger import APPEND_ONLY_POSTGRES, APPEND_ONLY_SQLITE

revision = '0001'
down_revision = None


def upgrade():
    op.create_table('agreements',
    sa.Column('agreement_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('change', sa.Text(), nullable=False),
    sa.Column('source_sha256', sa.Text(), nullable=False),
    sa.Column('text_sha256', sa.Text(), nullable=False),
    sa.Column('published_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('agreement_id', 'version', name=op.f('pk_agreements'))
    )
    op.create_table('contents',
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_contents'))
    )
    op.create_table('counters',
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('hour', sa.BigInteger(), nullable=False),
    sa.Column('requests', sa.BigInteger(), nullable=False),
    sa.Column('bytes_offered', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('person_id', 'model_id', 'sha256', 'hour', name=op.f('pk_counters'))
    )
    op.create_table('drafts',
    sa.Column('application_id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('models', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('answers', sa.Text(), nullable=False),
    sa.Column('public_summary', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('saved_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('application_id', name=op.f('pk_drafts'))
    )
    with op.batch_alter_table('drafts', schema=None) as batch_op:
        batch_op.create_index('ix_drafts_lead_id', ['lead_id'], unique=False)

    op.create_table('entries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('actor_kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.Text(), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('mac', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entries')),
    sa.UniqueConstraint('event_id', name=op.f('uq_entries_event_id'))
    )
    with op.batch_alter_table('entries', schema=None) as batch_op:
        batch_op.create_index('ix_entries_at_id', ['at', 'id'], unique=False)
        batch_op.create_index('ix_entries_kind_id', ['kind', 'id'], unique=False)

    op.create_table('idempotency_keys',
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('request_sha256', sa.Text(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('person_id', 'key', name=op.f('pk_idempotency_keys'))
    )
    with op.batch_alter_table('idempotency_keys', schema=None) as batch_op:
        batch_op.create_index('ix_idempotency_keys_at', ['at'], unique=False)

    op.create_table('letters',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('to_address', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('sent_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_letters'))
    )
    op.create_table('links',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('grant_id', sa.Text(), nullable=True),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.Column('revision_id', sa.Text(), nullable=False),
    sa.Column('path_sha256', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_links'))
    )
    op.create_table('namespaces',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_namespaces'))
    )
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('page', sa.Text(), nullable=False),
    sa.Column('about', sa.Text(), nullable=False),
    sa.Column('owed_at', sa.BigInteger(), nullable=False),
    sa.Column('next_try_at', sa.BigInteger(), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('sent_at', sa.BigInteger(), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_next_try_at', ['next_try_at'], unique=False)
        batch_op.create_index('ix_outbox_sent_at_next_try_at', ['sent_at', 'next_try_at'], unique=False)
        batch_op.create_index('uq_outbox_event_kind_person', ['event_id', 'kind', 'person_id'], unique=True)

    op.create_table('persons',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('username_value', sa.Text(), nullable=True),
    sa.Column('username_salt', sa.Text(), nullable=True),
    sa.Column('username_commitment', sa.Text(), nullable=False),
    sa.Column('email_value', sa.Text(), nullable=True),
    sa.Column('email_salt', sa.Text(), nullable=True),
    sa.Column('email_commitment', sa.Text(), nullable=False),
    sa.Column('name_value', sa.Text(), nullable=True),
    sa.Column('name_salt', sa.Text(), nullable=True),
    sa.Column('name_commitment', sa.Text(), nullable=False),
    sa.Column('affiliation_value', sa.Text(), nullable=True),
    sa.Column('affiliation_salt', sa.Text(), nullable=True),
    sa.Column('affiliation_commitment', sa.Text(), nullable=False),
    sa.Column('password_value', sa.Text(), nullable=True),
    sa.Column('password_salt', sa.Text(), nullable=True),
    sa.Column('password_commitment', sa.Text(), nullable=False),
    sa.Column('verified_at', sa.BigInteger(), nullable=True),
    sa.Column('suspended', sa.Boolean(), nullable=False),
    sa.Column('note_value', sa.Text(), nullable=True),
    sa.Column('note_salt', sa.Text(), nullable=True),
    sa.Column('note_commitment', sa.Text(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_persons'))
    )
    with op.batch_alter_table('persons', schema=None) as batch_op:
        batch_op.create_index('uq_persons_email_value', ['email_value'], unique=True)
        batch_op.create_index('uq_persons_username_value', ['username_value'], unique=True)

    op.create_table('publish_marks',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('git_sha1', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('source', name=op.f('pk_publish_marks'))
    )
    op.create_table('registrants',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('username', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('affiliation', sa.Text(), nullable=False),
    sa.Column('password', sa.Text(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_registrants')),
    sa.UniqueConstraint('email', name=op.f('uq_registrants_email'))
    )
    with op.batch_alter_table('registrants', schema=None) as batch_op:
        batch_op.create_index('ix_registrants_username', ['username'], unique=False)
        batch_op.create_index('ix_registrants_expires_at', ['expires_at'], unique=False)

    op.create_table('refusals',
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('hour', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('person_id', 'model_id', 'reason', 'hour', name=op.f('pk_refusals'))
    )
    op.create_table('servings',
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('grant_id', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('hour', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('person_id', 'grant_id', 'model_id', 'sha256', 'hour', name=op.f('pk_servings'))
    )
    op.create_table('sessions',
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=True),
    sa.Column('payload', sa.Text(), nullable=False),
    sa.Column('user_agent', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('seen_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_sessions'))
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.create_index('ix_sessions_expires_at', ['expires_at'], unique=False)
        batch_op.create_index('ix_sessions_person_id', ['person_id'], unique=False)

    op.create_table('token_uses',
    sa.Column('token_id', sa.Text(), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('token_id', name=op.f('pk_token_uses'))
    )
    op.create_table('tree',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('hashes', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tree'))
    )
    op.create_table('unsequenced',
    sa.Column('entry_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('entry_id', name=op.f('pk_unsequenced'))
    )
    op.create_table('acceptances',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('agreement_id', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('text_sha256', sa.Text(), nullable=False),
    sa.Column('clauses', sa.Text(), nullable=False),
    sa.Column('typed_name_value', sa.Text(), nullable=True),
    sa.Column('typed_name_salt', sa.Text(), nullable=True),
    sa.Column('typed_name_commitment', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=True),
    sa.Column('accepted_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['persons.id'], name=op.f('fk_acceptances_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_acceptances'))
    )
    with op.batch_alter_table('acceptances', schema=None) as batch_op:
        batch_op.create_index('ix_acceptances_agreement_id', ['agreement_id'], unique=False)
        batch_op.create_index('ix_acceptances_person_id_agreement_id', ['person_id', 'agreement_id'], unique=False)

    op.create_table('applications',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('lead_id', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('assignee_id', sa.Text(), nullable=True),
    sa.Column('form_sha256', sa.Text(), nullable=True),
    sa.Column('purpose_value', sa.Text(), nullable=True),
    sa.Column('purpose_salt', sa.Text(), nullable=True),
    sa.Column('purpose_commitment', sa.Text(), nullable=False),
    sa.Column('answers_value', sa.Text(), nullable=True),
    sa.Column('answers_salt', sa.Text(), nullable=True),
    sa.Column('answers_commitment', sa.Text(), nullable=False),
    sa.Column('public_summary_value', sa.Text(), nullable=True),
    sa.Column('public_summary_salt', sa.Text(), nullable=True),
    sa.Column('public_summary_commitment', sa.Text(), nullable=False),
    sa.Column('first_approver_id', sa.Text(), nullable=True),
    sa.Column('proposed_ends_on', sa.Text(), nullable=True),
    sa.Column('reject_reason', sa.Text(), nullable=True),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('after_on', sa.Text(), nullable=True),
    sa.Column('submitted_at', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['lead_id'], ['persons.id'], name=op.f('fk_applications_lead_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_applications'))
    )
    with op.batch_alter_table('applications', schema=None) as batch_op:
        batch_op.create_index('ix_applications_lead_id', ['lead_id'], unique=False)
        batch_op.create_index('ix_applications_state_submitted_at_id', ['state', 'submitted_at', 'id'], unique=False)

    op.create_table('grants',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('starts_at', sa.BigInteger(), nullable=False),
    sa.Column('ends_at', sa.BigInteger(), nullable=False),
    sa.Column('application_id', sa.Text(), nullable=True),
    sa.Column('agreement_id', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('note_value', sa.Text(), nullable=True),
    sa.Column('note_salt', sa.Text(), nullable=True),
    sa.Column('note_commitment', sa.Text(), nullable=True),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('mac', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['persons.id'], name=op.f('fk_grants_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_grants'))
    )
    with op.batch_alter_table('grants', schema=None) as batch_op:
        batch_op.create_index('ix_grants_application_id', ['application_id'], unique=False)
        batch_op.create_index('ix_grants_person_id', ['person_id'], unique=False)

    op.create_table('leaves',
    sa.Column('leaf_index', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('entry_id', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['entry_id'], ['entries.id'], name=op.f('fk_leaves_entry_id')),
    sa.PrimaryKeyConstraint('leaf_index', name=op.f('pk_leaves')),
    sa.UniqueConstraint('entry_id', name=op.f('uq_leaves_entry_id'))
    )
    op.create_table('members',
    sa.Column('namespace', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['namespace'], ['namespaces.name'], name=op.f('fk_members_namespace')),
    sa.ForeignKeyConstraint(['person_id'], ['persons.id'], name=op.f('fk_members_person_id')),
    sa.PrimaryKeyConstraint('namespace', 'person_id', 'role', name=op.f('pk_members'))
    )
    with op.batch_alter_table('members', schema=None) as batch_op:
        batch_op.create_index('ix_members_person_id', ['person_id'], unique=False)

    op.create_table('mentions',
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('entry_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['entry_id'], ['entries.id'], name=op.f('fk_mentions_entry_id')),
    sa.PrimaryKeyConstraint('subject', 'entry_id', name=op.f('pk_mentions'))
    )
    op.create_table('releases',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('namespace', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('content_sha256', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['namespace'], ['namespaces.name'], name=op.f('fk_releases_namespace')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_releases'))
    )
    with op.batch_alter_table('releases', schema=None) as batch_op:
        batch_op.create_index('uq_releases_namespace_name', ['namespace', 'name'], unique=True)

    op.create_table('site_roles',
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['persons.id'], name=op.f('fk_site_roles_person_id')),
    sa.PrimaryKeyConstraint('person_id', 'role', name=op.f('pk_site_roles'))
    )
    op.create_table('tokens',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Text(), nullable=False),
    sa.Column('name_value', sa.Text(), nullable=True),
    sa.Column('name_salt', sa.Text(), nullable=True),
    sa.Column('name_commitment', sa.Text(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('hint', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['persons.id'], name=op.f('fk_tokens_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tokens')),
    sa.UniqueConstraint('digest', name=op.f('uq_tokens_digest'))
    )
    with op.batch_alter_table('tokens', schema=None) as batch_op:
        batch_op.create_index('ix_tokens_person_id', ['person_id'], unique=False)

    op.create_table('messages',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('application_id', sa.Text(), nullable=False),
    sa.Column('author_id', sa.Text(), nullable=True),
    sa.Column('text_value', sa.Text(), nullable=True),
    sa.Column('text_salt', sa.Text(), nullable=True),
    sa.Column('text_commitment', sa.Text(), nullable=False),
    sa.Column('internal', sa.Boolean(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['application_id'], ['applications.id'], name=op.f('fk_messages_application_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_messages'))
    )
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.create_index('ix_messages_application_id_at', ['application_id', 'at'], unique=False)

    op.create_table('models',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('release_id', sa.Text(), nullable=False),
    sa.Column('namespace', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('tier', sa.Text(), nullable=False),
    sa.Column('visibility', sa.Text(), nullable=False),
    sa.Column('availability', sa.Text(), nullable=False),
    sa.Column('agreements', sa.Text(), nullable=False),
    sa.Column('form_sha256', sa.Text(), nullable=True),
    sa.Column('open_files', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['namespace'], ['namespaces.name'], name=op.f('fk_models_namespace')),
    sa.ForeignKeyConstraint(['release_id'], ['releases.id'], name=op.f('fk_models_release_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_models'))
    )
    with op.batch_alter_table('models', schema=None) as batch_op:
        batch_op.create_index('ix_models_release_id', ['release_id'], unique=False)
        batch_op.create_index('uq_models_namespace_name', ['namespace', 'name'], unique=True)

    op.create_table('application_models',
    sa.Column('application_id', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['application_id'], ['applications.id'], name=op.f('fk_application_models_application_id')),
    sa.ForeignKeyConstraint(['model_id'], ['models.id'], name=op.f('fk_application_models_model_id')),
    sa.PrimaryKeyConstraint('application_id', 'model_id', name=op.f('pk_application_models'))
    )
    with op.batch_alter_table('application_models', schema=None) as batch_op:
        batch_op.create_index('ix_application_models_model_id', ['model_id'], unique=False)

    op.create_table('grant_models',
    sa.Column('grant_id', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['grant_id'], ['grants.id'], name=op.f('fk_grant_models_grant_id')),
    sa.ForeignKeyConstraint(['model_id'], ['models.id'], name=op.f('fk_grant_models_model_id')),
    sa.PrimaryKeyConstraint('grant_id', 'model_id', name=op.f('pk_grant_models'))
    )
    with op.batch_alter_table('grant_models', schema=None) as batch_op:
        batch_op.create_index('ix_grant_models_model_id', ['model_id'], unique=False)

    op.create_table('revisions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.Column('parent_id', sa.Text(), nullable=True),
    sa.Column('manifest_sha256', sa.Text(), nullable=False),
    sa.Column('message_sha256', sa.Text(), nullable=False),
    sa.Column('author_id', sa.Text(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['model_id'], ['models.id'], name=op.f('fk_revisions_model_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_revisions'))
    )
    with op.batch_alter_table('revisions', schema=None) as batch_op:
        batch_op.create_index('ix_revisions_model_id_created_at', ['model_id', 'created_at'], unique=False)

    op.create_table('files',
    sa.Column('revision_id', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('git_oid', sa.Text(), nullable=False),
    sa.Column('lfs', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['revision_id'], ['revisions.id'], name=op.f('fk_files_revision_id')),
    sa.PrimaryKeyConstraint('revision_id', 'path', name=op.f('pk_files'))
    )
    with op.batch_alter_table('files', schema=None) as batch_op:
        batch_op.create_index('ix_files_sha256', ['sha256'], unique=False)

    op.create_table('refs',
    sa.Column('model_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('revision_id', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['model_id'], ['models.id'], name=op.f('fk_refs_model_id')),
    sa.ForeignKeyConstraint(['revision_id'], ['revisions.id'], name=op.f('fk_refs_revision_id')),
    sa.PrimaryKeyConstraint('model_id', 'name', name=op.f('pk_refs'))
    )

    # Entries and leaves are append-only, whoever writes SQL.
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in APPEND_ONLY_SQLITE if sqlite else APPEND_ONLY_POSTGRES:
        op.execute(sa.text(statement))
