-- Outcomes of disputes, and how near the card networks' monitoring programmes are. Both count from the derived rows, each
-- time they are read.

alter table clawback.disputes add card_brand text;
-- Evidence was submitted since it became a chargeback, and not by Stripe itself.
alter table clawback.disputes add countered boolean not null default false;
alter table clawback.fraud_warnings add card_brand text;

create view clawback_v1.dispute_outcomes as
with cases as (
    select date_trunc('month', d.created_at at time zone 'UTC')::date as month, nullif(p.account, '') as account,
           p.livemode, d.currency, d.reason, d.network_reason_code, d.payment_method, d.amount, d.amount_lost, d.countered,
           d.countered and d.outcome = 'won' as is_won, d.countered and d.outcome = 'lost' as is_lost
    from clawback.disputes d
    join clawback.payments p on p.payment_id = d.payment_id
    where d.phase not in ('inquiry', 'prevention')
)
select c.month, c.account, c.livemode, c.currency, c.reason, c.network_reason_code, c.payment_method,
       count(*) as disputes,
       least(sum(c.amount), 9223372036854775807)::bigint as amount,
       count(*) filter (where c.countered) as countered,
       count(*) filter (where c.is_won) as won,
       count(*) filter (where c.is_lost) as lost,
       -- A lost dispute of which part came back keeps that part.
       least(coalesce(sum(c.amount - c.amount_lost) filter (where c.is_won or c.is_lost), 0), 9223372036854775807)::bigint
           as amount_won,
       least(coalesce(sum(c.amount_lost) filter (where c.is_won or c.is_lost), 0), 9223372036854775807)::bigint
           as amount_lost,
       round(count(*) filter (where c.is_won)::numeric / nullif(count(*) filter (where c.is_won or c.is_lost), 0), 4)
           as win_rate
from cases c
group by c.month, c.account, c.livemode, c.currency, c.reason, c.network_reason_code, c.payment_method;
comment on view clawback_v1.dispute_outcomes is
    'Chargebacks and compliance cases by the month in which they were created, with how those that were answered ended. Inquiries and prevented disputes are not counted. Rows of past months change until every dispute of them is decided, and when a lost one is won later.';
comment on column clawback_v1.dispute_outcomes.month is 'First day of the month in UTC in which the disputes were created at Stripe.';
comment on column clawback_v1.dispute_outcomes.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.dispute_outcomes.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.dispute_outcomes.currency is 'Lower-case ISO code of the amounts.';
comment on column clawback_v1.dispute_outcomes.reason is 'Stripe''s reason, such as fraudulent or product_not_received.';
comment on column clawback_v1.dispute_outcomes.network_reason_code is 'Reason code of the card network.';
comment on column clawback_v1.dispute_outcomes.payment_method is 'Stripe''s type of payment method, such as card or klarna; null where Stripe does not name it.';
comment on column clawback_v1.dispute_outcomes.disputes is 'How many were created, open, unanswered and accepted ones included.';
comment on column clawback_v1.dispute_outcomes.amount is 'Disputed in all of them, in minor units.';
comment on column clawback_v1.dispute_outcomes.countered is 'How many of them were answered by you or by Clawback. An answer to the inquiry before does not count, nor does one that Stripe submitted by itself (Smart Disputes).';
comment on column clawback_v1.dispute_outcomes.won is 'How many of the answered ones were won, including those won after they were lost.';
comment on column clawback_v1.dispute_outcomes.lost is 'How many of the answered ones were lost, including those of which part of the money came back.';
comment on column clawback_v1.dispute_outcomes.amount_won is 'Kept of the answered ones that are decided, in minor units: the amount of won ones, and what came back of lost ones.';
comment on column clawback_v1.dispute_outcomes.amount_lost is 'Lost of the answered ones that are decided, in minor units.';
comment on column clawback_v1.dispute_outcomes.win_rate is 'won / (won + lost), from 0 to 1; null while none is decided. Below ten decided disputes it says little.';

create view clawback_v1.dispute_ratios as
with captured as (
    select date_trunc('month', to_timestamp(c.created) at time zone 'UTC')::date as month, p.account, p.livemode,
           c.card_brand, count(*) as charges
    from clawback.payments p
    cross join lateral jsonb_to_recordset(p.captures) as c (created bigint, card_brand text)
    where p.captures <> '[]' and c.card_brand is not null
    group by 1, 2, 3, 4
), counted as (
    -- Mastercard compares a month's disputes with the charges of the month before.
    select case when c.card_brand = 'mastercard' then (c.month + interval '1 month')::date else c.month end as month,
           c.account, c.livemode, c.card_brand, c.charges, 0::bigint as disputes, 0::bigint as fraud_warnings
    from captured c
    union all
    select date_trunc('month', d.created_at at time zone 'UTC')::date, p.account, p.livemode, d.card_brand, 0, 1, 0
    from clawback.disputes d
    join clawback.payments p on p.payment_id = d.payment_id
    where d.card_brand is not null and d.phase not in ('inquiry', 'prevention')
    union all
    select date_trunc('month', w.created_at at time zone 'UTC')::date, p.account, p.livemode, w.card_brand, 0, 0, 1
    from clawback.fraud_warnings w
    join clawback.payments p on p.payment_id = w.payment_id
    where w.card_brand is not null
), summed as (
    select c.month, c.account, c.livemode, c.card_brand, sum(c.charges)::bigint as charges,
           sum(c.disputes)::bigint as disputes, sum(c.fraud_warnings)::bigint as fraud_warnings
    from counted c
    -- This month's Mastercard charges count for the next.
    where c.month <= date_trunc('month', now() at time zone 'UTC')::date
    group by c.month, c.account, c.livemode, c.card_brand
)
select s.month, nullif(s.account, '') as account, s.livemode, s.card_brand, s.charges, s.disputes, s.fraud_warnings,
       round((s.disputes + case when s.card_brand = 'mastercard' then 0 else s.fraud_warnings end)::numeric
             / nullif(s.charges, 0), 6) as ratio
from summed s;
comment on view clawback_v1.dispute_ratios is
    'Disputes in relation to card payments by month and card network, counted as the networks'' monitoring programmes do. A lower bound: a network also counts disputes that Stripe settles without showing them, and charges whose network is not known are left out. Reads every payment: for reports, not for each request.';
comment on column clawback_v1.dispute_ratios.month is 'First day of the month in UTC in which the disputes and fraud warnings were created at Stripe.';
comment on column clawback_v1.dispute_ratios.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.dispute_ratios.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.dispute_ratios.card_brand is 'Card network of the charge, such as visa or mastercard.';
comment on column clawback_v1.dispute_ratios.charges is 'Captured card charges made in the month; for mastercard, in the month before. Payments at a terminal are not counted.';
comment on column clawback_v1.dispute_ratios.disputes is 'Chargebacks and compliance cases created in the month, whatever their outcome. Inquiries and prevented disputes are not counted.';
comment on column clawback_v1.dispute_ratios.fraud_warnings is 'Early fraud warnings created in the month. A payment can have a warning and a dispute, and counts twice.';
comment on column clawback_v1.dispute_ratios.ratio is '(disputes + fraud_warnings) / charges; for mastercard, disputes / charges. Null while there are no charges.';
