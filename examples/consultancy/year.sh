#!/bin/sh
# A year of a consultancy, month by month, from its files to closed books. The store is build/consultancy.db, new each time.
# `sh examples/consultancy/year.sh [MONTHS]` does the first so many months; `charter` must be on the PATH.
set -eu

unset CHARTER_PACK CHARTER_ACTOR
export CHARTER_DB=build/consultancy.db CHARTER_NOW=2025-01-01T08:00:00Z
FILES=build/consultancy
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
import() { quietly charter --as "$1" import "$2" "$FILES/$3" $4; }
all() { quietly charter --as "$1" fire "$2" "$3" - --where "$4"; }

rm -rf "$FILES" build/consultancy.db
"${PYTHON:-python3}" examples/consultancy/make_files.py "$FILES"
quietly charter init --demonstration
quietly charter import actor "$FILES/actors.csv"
quietly charter import role_grant "$FILES/role_grants.csv"
for pair in company:companies period:periods profit_center:profit_centers customer:customers contract:contracts \
  contract_line:contract_lines category:categories project:projects worker:workers exchange_rate:exchange_rates \
  hour_cost:hour_costs hour_price:hour_prices; do
  import pat "${pair%:*}" "${pair#*:}.csv" ""
done
all pat contract confirm "state == 'draft'"
all pat project start "state == 'created'"

# The days on which months end; the year is not a leap year.
last_day() { case $1 in 02) echo 28 ;; 04 | 06 | 09 | 11) echo 30 ;; *) echo 31 ;; esac; }

for month in $(seq -f %02g 1 "${1:-12}"); do
  period=2025-$month
  last=$period-$(last_day "$month")
  export CHARTER_NOW="${last}T18:00:00Z"
  echo "$period"

  import tim hour_line "$period/timesheets.csv" "--mapping timesheets"
  all tim timesheet submit "state == 'draft'"
  import tim expense_line "$period/expenses.csv" "--mapping expenses"
  all tim expense_report submit "state == 'draft'"
  for what in hour_line:submitted timesheet:in_review; do
    all mia "${what%:*}" approve "state == '${what#*:}' and project.contract_line is not none"
    all lea "${what%:*}" approve "state == '${what#*:}' and project.contract_line is none"
  done
  all mia expense_line approve "state == 'submitted'"
  all mia expense_report approve "state == 'in_review'"
  all dan expense_report approve "state == 'in_review'"
  all pat expense_report post "state == 'approved'"
  quietly charter --as pat run post_transactions "until=$last" "company=$COMPANY"
  frequencies=monthly
  case $month in 03 | 06 | 09 | 12) frequencies="monthly quarterly" ;; esac
  for frequency in $frequencies; do
    quietly charter --as ben run propose_invoices "until=$last" "company=$COMPANY" "frequency=$frequency"
  done
  if [ "$month" = 12 ]; then
    quietly charter --as pat fire project finish A-10
    quietly charter --as ben run propose_invoices "until=$last" "company=$COMPANY" frequency=at_completion
  fi
  all ben invoice_proposal submit "state == 'draft'"
  all kim invoice_proposal approve "state == 'in_review'"
  all eve invoice_proposal approve "state == 'in_review'"
  quietly charter --as ben run post_invoices "until=$last" "company=$COMPANY"
  charter -o json list invoice --where "paid in ('open', 'partly_paid') and date < date('$period-01')" 2>/dev/null |
    "${PYTHON:-python3}" examples/consultancy/pay.py "$FILES/$period" "$last"
  import ben customer_payment "$period/payments.csv" ""
  all ben customer_payment post "state == 'draft'"
  import ben settlement "$period/settlements.csv" ""
  quietly charter --as pat run accrue_revenue_for_period "day=$last" "company=$COMPANY"
  quietly charter --as pat fire period soft_close "$COMPANY/$period"
  quietly charter --as pat fire period close "$COMPANY/$period"
done

echo "closed: the trial balance, what the sub-ledgers say, and the proof"
for report in trial_balance profit_and_loss profit_by_project; do
  charter -o table report "$report" "company=$COMPANY" from=2025-01-01 "until=$last"
done
for report in balance_sheet balance_by_project accrual_reconciliation open_items; do
  charter -o table report "$report" "company=$COMPANY" "until=$last"
done
charter verify
