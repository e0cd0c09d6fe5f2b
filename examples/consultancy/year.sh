#!/bin/sh
# A year of a consultancy, month by month, from its files to closed books. The store is build/consultancy.db, new each time.
# `sh examples/consultancy/year.sh [MONTHS]` does the first so many months; `charter` must be on the PATH.
set -eu

unset CHARTER_PACK CHARTER_ACTOR
export CHARTER_DB=build/consultancy.db CHARTER_NOW=2025-01-01T08:00:00Z
HERE=examples/consultancy
COMPANY_FILES=$HERE/company # what the company works with and begins with
FILES=build/consultancy     # what make_files.py writes
COMPANY=LINDEN

# quietly COMMAND: what it prints is shown only where it does not end well.
quietly() {
  "$@" >"$FILES/output.txt" 2>&1 || {
    code=$?
    printf 'ended with %s: %s\n' "$code" "$*" >&2
    cat "$FILES/output.txt" >&2
    exit "$code"
  }
}
python() { "${PYTHON:-python3}" "$@"; }
does() { actor=$1 && shift && quietly charter --as "$actor" "$@"; }
import() { does "$1" import "$2" "$3" $4; } # ACTOR RECORD FILE OPTIONS
all() { # ACTOR RECORD EVENT WHERE [OPTION...]
  actor=$1 record=$2 event=$3 where=$4 && shift 4
  quietly charter --as "$actor" fire "$record" "$event" - --where "$where" "$@"
}
# of_month FILE: the rows of a file of the company that are of this month.
of_month() { { head -n 1 "$COMPANY_FILES/$1" && grep "$period" "$COMPANY_FILES/$1"; } >"$FILES/$period/$1"; }
. "./$HERE/events.sh"

rm -rf "$FILES" build/consultancy.db
python "$HERE/make_files.py" "$FILES"
quietly charter init --demonstration
quietly charter import actor "$FILES/actors.csv"
quietly charter import role_grant "$FILES/role_grants.csv"
for pair in company:companies period:periods profit_center:profit_centers customer:customers contract:contracts \
  contract_line:contract_lines project:projects worker:workers exchange_rate:exchange_rates hour_cost:hour_costs \
  hour_price:hour_prices; do
  import pat "${pair%:*}" "$FILES/${pair#*:}.csv" ""
done
for pair in customer:customers category:categories tax_code:tax_codes tax_rate:tax_rates tax_setup:tax_setups profile_rule:profile_rules \
  sales_rule:sales_rules item_cost:item_costs indirect_cost:indirect_costs allocation_rule:allocation_rules \
  allocation_target:allocation_targets; do
  import pat "${pair%:*}" "$COMPANY_FILES/${pair#*:}.csv" ""
done
all pat contract confirm "state == 'draft'"
does pat fire contract_payer change C-03/U-03 --set percent=80 --set takes_rounding=true
import pat contract_payer "$COMPANY_FILES/contract_payers.csv" ""
all pat contract_payer change "payment_terms is none" --set payment_terms=D30
all pat project start "state == 'created'"
all pat indirect_cost put_in_force "state == 'draft'"
does pat fire allocation_rule put_in_force ADMIN
open_the_books

# The days on which months end; the year is not a leap year.
last_day() { case $1 in 02) echo 28 ;; 04 | 06 | 09 | 11) echo 30 ;; *) echo 31 ;; esac; }

for month in $(seq -f %02g 1 "${1:-12}"); do
  period=2025-$month
  last=$period-$(last_day "$month")
  export CHARTER_NOW="${last}T18:00:00Z"
  echo "$period"

  import tim hour_line "$FILES/$period/timesheets.csv" "--mapping timesheets"
  all tim timesheet submit "state == 'draft'"
  import tim expense_line "$FILES/$period/expenses.csv" "--mapping expenses"
  all tim expense_report submit "state == 'draft'"
  for what in hour_line:submitted timesheet:in_review; do
    all mia "${what%:*}" approve "state == '${what#*:}' and project.contract_line is not none"
    all lea "${what%:*}" approve "state == '${what#*:}' and project.contract_line is none"
  done
  all mia expense_line approve "state == 'submitted'"
  all mia expense_report approve "state == 'in_review'"
  all dan expense_report approve "state == 'in_review'"
  all pat expense_report post "state == 'approved'"
  for pair in entry_journal:entry_journals entry_line:entry_lines; do
    of_month "${pair#*:}.csv"
    import pat "${pair%:*}" "$FILES/$period/${pair#*:}.csv" ""
  done
  all pat entry_journal confirm "state == 'draft'"

  before_posting
  does pat run charge_indirect_cost "until=$last" "company=$COMPANY" group=INVESTMENT
  does pat run post_transactions "until=$last" "company=$COMPANY"

  frequencies=monthly
  case $month in 03 | 06 | 09 | 12) frequencies="monthly quarterly" ;; esac
  if [ "$month" = 12 ]; then
    does pat fire project finish A-10
    frequencies="$frequencies at_completion"
  fi
  for frequency in $frequencies; do
    does ben run propose_invoices "until=$last" "company=$COMPANY" "frequency=$frequency"
  done
  with_proposals
  all ben invoice_proposal submit "state == 'draft'"
  all kim invoice_proposal approve "state == 'in_review'"
  all eve invoice_proposal approve "state == 'in_review'"
  does ben run post_invoices "until=$last" "company=$COMPANY"

  charter -o json list invoice --where "paid in ('open', 'partly_paid') and date < date('$period-01')" 2>/dev/null |
    python "$HERE/pay.py" "$FILES/$period" "$last"
  import ben customer_payment "$FILES/$period/payments.csv" ""
  all ben customer_payment post "state == 'draft'"
  import ben settlement "$FILES/$period/settlements.csv" ""
  after_payments

  case $month in 03 | 06 | 09 | 12) end_the_quarter ;; esac
  does pat run accrue_revenue_for_period "day=$last" "company=$COMPANY"
  does pat fire period soft_close "$COMPANY/$period"
  does pat fire period close "$COMPANY/$period"
done

echo "closed: the statements, what stands behind the ledger, and the proof"
for report in trial_balance profit_and_loss profit_by_project profit_by_profit_center realization; do
  charter -o table report "$report" "company=$COMPANY" from=2025-01-01 "until=$last"
done
for report in balance_sheet balance_by_project open_work open_items; do
  charter -o table report "$report" "company=$COMPANY" "until=$last"
done
python "$HERE/check.py" "$COMPANY" 2025-01-01 "$last"
charter verify
