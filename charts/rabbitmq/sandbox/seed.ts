import type { SeedPod } from '../../sandbox-recipe.ts';

/** A virtual host with users, permissions, policies, durable queues of both kinds, and 500 persistent messages. */
export async function seed(pod: SeedPod): Promise<void> {
  await pod.run(['sh', '-ceu', accounts]);
  await pod.run(['rabbitmqctl', '-q', 'import_definitions'], JSON.stringify(topology));
  const said = await pod.run(['rabbitmqctl', '-q', 'eval', publish]);
  if (!said.includes('500')) throw new Error(`seed rabbitmq: ${said}`);
}

const accounts = `
rabbitmqctl -q add_vhost shop
echo orders-of-the-sandbox | rabbitmqctl -q add_user orders
echo "odd 'pass word" | rabbitmqctl -q add_user audit
rabbitmqctl -q set_user_tags audit monitoring
rabbitmqctl -q set_permissions -p shop orders '^(order|invoice).*' '.*' '.*'
rabbitmqctl -q set_permissions -p shop audit '' '' '.*'
rabbitmqctl -q set_permissions -p shop "$RABBITMQ_DEFAULT_USER" '.*' '.*' '.*'
rabbitmqctl -q set_topic_permissions -p shop orders events '^order\\.' '.*'
rabbitmqctl -q set_policy -p shop --apply-to queues dead-letters '^order' '{"dead-letter-exchange":"dead","max-length":100000}'
rabbitmqctl -q set_vhost_limits -p shop '{"max-connections":500}'
`;

const vhost = 'shop';
const durable = { vhost, durable: true, auto_delete: false };

const topology = {
  exchanges: [
    { ...durable, name: 'events', type: 'topic', internal: false, arguments: {} },
    { ...durable, name: 'dead', type: 'fanout', internal: false, arguments: {} },
  ],
  queues: [
    { ...durable, name: 'orders', arguments: { 'x-queue-type': 'classic' } },
    { ...durable, name: 'invoices', arguments: { 'x-queue-type': 'quorum' } },
    { ...durable, name: 'order archive', arguments: { 'x-max-priority': 5 } },
    { ...durable, name: 'dead-letters', arguments: {} },
    { vhost, durable: false, auto_delete: false, name: 'transient', arguments: {} },
  ],
  bindings: [
    {
      source: 'events',
      vhost,
      destination: 'orders',
      destination_type: 'queue',
      routing_key: 'order.#',
      arguments: {},
    },
    {
      source: 'events',
      vhost,
      destination: 'order archive',
      destination_type: 'queue',
      routing_key: 'archive.#',
      arguments: {},
    },
    {
      source: 'events',
      vhost,
      destination: 'invoices',
      destination_type: 'queue',
      routing_key: 'invoice.*',
      arguments: {},
    },
    { source: 'dead', vhost, destination: 'dead-letters', destination_type: 'queue', routing_key: '', arguments: {} },
  ],
};

/**
 * Publishes inside the node, confirmed, since no client is on board in every image: 500 persistent messages and twenty
 * that are not. Records are written as the tuples they are.
 */
const publish = `
{ok, Connection} = amqp_connection:start({amqp_params_direct, none, none, <<"shop">>, node(), none, []}),
{ok, Channel} = amqp_connection:open_channel(Connection),
amqp_channel:call(Channel, {'confirm.select', false}),
Send = fun(Key, Mode, N) ->
  Body = iolist_to_binary([<<"{\\"n\\":">>, integer_to_binary(N), <<",\\"body\\":\\"">>, binary:copy(<<"x">>, N * 7 rem 900), <<"\\"}">>]),
  Properties = {'P_basic', <<"application/json">>, undefined, [{<<"n">>, long, N}], Mode, N rem 5, undefined, undefined, undefined, integer_to_binary(N), undefined, undefined, undefined, undefined, undefined},
  amqp_channel:call(Channel, {'basic.publish', 0, <<"events">>, Key, false, false}, {amqp_msg, Properties, Body}),
  N end,
Persistent = [Send(<<"order.new">>, 2, N) || N <- lists:seq(1, 300)] ++ [Send(<<"invoice.new">>, 2, N) || N <- lists:seq(1, 150)] ++ [Send(<<"archive.old">>, 2, N) || N <- lists:seq(1, 50)],
[Send(<<"order.hint">>, 1, N) || N <- lists:seq(1, 20)],
true = amqp_channel:wait_for_confirms_or_die(Channel, 60),
amqp_connection:close(Connection),
length(Persistent).
`;
