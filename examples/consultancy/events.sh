# What does not happen every month of the year. year.sh calls each of these when its time of the month has come.

# What was there on the first day: money, capital, invoices that were open, work of the year before, and sensors that were
# bought and not used yet.
open_the_books() {
  for record in opening_balance:opening_balances opening_line:opening_lines opening_cost:opening_costs \
    opening_receivable:opening_receivables opening_account:opening_accounts; do
    import pat "${record%:*}" "$COMPANY_FILES/${record#*:}.csv" ""
  done
  does pat fire opening_balance reconcile "$COMPANY/2025"
  does cora fire opening_balance post "$COMPANY/2025"
}

# Before cost and sales are posted.
before_posting() {
  case $month in
    04) # A day of training was administration. Pat asks for March to be opened again, and cora agrees.
      does pat fire period ask_to_reopen "$COMPANY/2025-03" --set "reason=A day on the wrong project"
      does cora fire period reopen "$COMPANY/2025-03"
      all pat transaction adjust "type == 'cost' and worker.number == 'W10' and work_date == date('2025-03-12')
        and project.number == 'E-01' and adjustment == 'none'" --set new_project=F-01 --set adjusted_on=2025-03-31 \
        --set "reason=It was administration"
      does pat run post_transactions until=2025-03-31 "company=$COMPANY"
      does pat fire period close "$COMPANY/2025-03"
      ;;
  esac
}

# ask_for_a_part PAYER: a proposal without work. on_account PROPOSAL KIND PROJECT AMOUNT TEXT: a line of a payment on account.
on_account() {
  does ben fire proposal_line add --set "proposal=$1" --set number=1 --set "kind=$2" --set "project=$3" \
    --set category=on_account --set "amount=$4" --set "description=$5"
}
ask_for_a_part() {
  does ben fire invoice_proposal create --set "payer=$1" --set "until=$last" --set hours=false --set expenses=false \
    --set items=false --set fees=false
}

# While invoices are proposed: parts of fixed prices, discounts, what is billed less, held or billed anew.
with_proposals() {
  # The registry has a discount on its hours by agreement.
  all ben proposal_line change "$(of_contract C-06) and category.group.class == 'hour' and proposal.corrects is none" \
    --set discount_percent=4
  quarter=$((${month#0} / 3))
  case $month in
    03 | 06 | 09 | 12) # A fixed price is paid in parts, at the end of each quarter.
      ask_for_a_part C-09/U-09 && on_account "C-09/$quarter" on_account B-01 72000 "School intranet, part $quarter"
      ask_for_a_part C-10/U-10 && on_account "C-10/$quarter" on_account B-02 68000 "Web site, part $quarter"
      ask_for_a_part C-11/U-11 && on_account "C-11/$quarter" on_account B-03 45000 "Warehouse, part $quarter"
      ;;
  esac
  case $month in
    01) # The Harbor Board pays 20,000 before the work begins; the first invoice takes them off.
      ask_for_a_part C-02/U-02 && on_account C-02/1 on_account A-03 20000 "Before the work begins" ;;
    03) on_account C-02/2 deduction A-03 -20000 "Paid in January" ;;
    04) # The theater has a discount of five percent on its invoice.
      all ben proposal_line change "$(of_contract C-05)" --set discount_percent=5 ;;
    05) # Work of two had to be done again: of eight hours five are billed.
      all ben proposal_line change "$(of_contract C-01) and quantity == 8
        and transaction.worker.number in ('W06', 'W16')" --set quantity=5 --set reason=quality
      ;;
    06) # City Tram asks for the receipts first.
      all ben proposal_line hold "$(of_contract C-04) and category.number in ('travel', 'lodging')" \
        --set "why=The customer asks for the receipts"
      ;;
    07) all mia transaction release "billed == 'held'" ;; # They go on the next invoice.
    08) # The registry's invoice of July is credited and billed anew in one step: days of W09 are billed later.
      does ben fire invoice correct C-06/7 --set "day=$last"
      all ben proposal_line change "$(of_contract C-06) and proposal.corrects is not none and quantity == 8
        and transaction.worker.number == 'W09'" --set quantity=4
      ;;
    09) # The hospital does not agree with time of travel.
      all ben proposal_line change "$(of_contract C-03) and category.number == 'travel_time'" --set amount=0 \
        --set reason=dispute
      ;;
    12) # What the ferry company asks about goes on an invoice of the next year.
      all ben proposal_line hold "$(of_contract C-01) and project.number == 'A-02' and transaction.worker.number == 'W11'" \
        --set "why=The customer asks what was done"
      ;;
  esac
}
of_contract() { echo "proposal.contract.number == '$1' and proposal.state == 'draft'"; }

# Once customers have paid.
after_payments() {
  case $month in
    10) # The theater kept back 180 of its invoice of June and will not pay them.
      does pat fire write_off create --set invoice=C-05/6 --set "reason=A performance was late" --set "date=$last"
      does cora fire write_off approve C-05/6/1
      ;;
    11) # Delta Pumps pays 20,000 dollars before its invoice comes.
      does ben fire customer_payment create --set "company=$COMPANY" --set number=ADVANCE --set customer=U-08 \
        --set "date=$last" --set currency=USD --set amount=20000 --set "note=In advance"
      does ben fire customer_payment post "$COMPANY/ADVANCE"
      ;;
    12) does ben fire settlement create --set "payment=$COMPANY/ADVANCE" --set invoice=C-08/1 --set "date=$last" ;;
  esac
}

# At the end of a quarter the cost of offers is expensed, and profit centers bear what administration cost.
end_the_quarter() {
  does pat run post_costs "day=$last" "until=$last" "company=$COMPANY" group=INTERNAL-WIP
  does pat fire allocation create --set rule=ADMIN --set "date=$last"
  does pat fire allocation post "ADMIN/$last"
}
