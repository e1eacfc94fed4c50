# frozen_string_literal: true

# Clients of both protocols at once against one server: `ruby both.rb PORT [SEED]`. Each has a tree of
# its own, of which it knows every count, and all of them count in a shared one. Every answer is
# checked; the first wrong one ends the script. The last line says how much was asked.
#
# Nothing here may see a day begin: the server's time zone is the caller's care.

require_relative "driver_v1"
require_relative "driver_v2"

CLIENTS = 4 # of each protocol
ROUNDS = 50
KEYS = 8
SHARED = "shared"
EVER = { time_from: 0, time_to: 99_999_999 }.freeze
DAYS = [20_260_227, 20_260_228, 20_260_301, 20_261_231].freeze
YEAR = { from: 20_260_101, to: 20_261_231 }.freeze
LAST_KEY = 2**64 - 1

def check(what, expected, got)
  raise "#{what}: expected #{expected.inspect}, got #{got.inspect}" unless expected == got
end

# Checks that what the block asks for is refused: with that text, and in v2 that code.
def check_refused(text, code = nil)
  response = yield
rescue DriverV1::Refused, DriverV2::Refused => e
  check("a refusal", text, e.message)
  check("its code", code, e.code) if code
else
  raise "Not refused with #{text.inspect} but answered: #{response.inspect}"
end

# What all clients together have done to the shared tree.
class Shared
  def initialize
    @lock = Mutex.new
    @totals = Hash.new(0)
    @firsts = Hash.new(0)
  end

  def added(key, value)
    @lock.synchronize { @totals[key] += value }
  end

  # Somebody's request under an idempotency key was the first.
  def first(name)
    @lock.synchronize { @firsts[name] += 1 }
  end

  attr_reader :totals, :firsts
end

# A client of protocol v1: it counts by ones, on the server's day.
class WorkerV1
  attr_reader :driver, :name, :counts

  def initialize(port, index, seed, shared)
    @driver = DriverV1.new(port)
    @name = "ruby v1 #{index}"
    @tree = @driver.tree(@name)
    @random = Random.new(seed)
    @shared = shared
    @counts = {}
    @added = Hash.new(0)
  end

  def run
    check("a ping", "pong", @driver.call("ping"))
    check("a sum of no tree", 0, @tree.sum(key: 1))
    check("a creation", "OK", @tree.create)
    ROUNDS.times do |round|
      count
      share
      read
      forget if round % 10 == 9
      refuse if round % 10 == 4
    end
    read_all
  end

  private

  def key
    @random.rand(KEYS)
  end

  def count
    3.times do
      key = self.key
      check("an increment", 1, @tree.increment(key: key))
      @counts[key] = @counts.fetch(key, 0) + 1
    end
    key = self.key
    check("a decrement", 1, @tree.decrement(key: key))
    @counts[key] = [@counts.fetch(key, 0) - 1, 0].max
  end

  def share
    key = self.key
    check("a shared increment", 1, @driver.tree(SHARED).increment(key: key))
    @shared.added(key, 1)
    @added[key] += 1
    sum = @driver.tree(SHARED).sum(key: key)
    raise "A shared sum lost our own counts: #{sum}" if sum < @added[key]
  end

  def read
    key = self.key
    count = @counts.fetch(key, 0)
    check("a sum", count, @tree.sum(key: key))
    check("a sum of all days", count, @tree.sum(key: key, **EVER))
    check("a sum before all days", 0, @tree.sum(key: key, time_from: 0, time_to: 19_700_101))
    check("a find", count.zero? ? [] : [count], @tree.find(key: key, **EVER).values)
  end

  def forget
    key = self.key
    if @random.rand(2).zero?
      check("a reset", "OK", @tree.reset(key: key))
    else
      check("a delete", true, @tree.delete(key: key, **EVER))
    end
    @counts[key] = 0
  end

  def refuse
    check_refused("Unknown command nope") { @driver.call("nope") }
    check_refused("Field key is required") { @tree.increment }
    check_refused('Tree "no such tree" not exists') { @driver.tree("no such tree").drop }
  end

  def read_all
    found = @tree.find(**EVER).to_h { |key, days| [key.to_i, days.values.sum] }
    check("a find over the tree", @counts.sort, found.sort)
  end
end

# A client of protocol v2: any amount on any day, in batches, under idempotency keys.
class WorkerV2
  attr_reader :driver, :name

  def initialize(port, index, seed, shared)
    @driver = DriverV2.new(port)
    @name = "ruby v2 #{index}"
    @random = Random.new(seed)
    @shared = shared
    @cells = Hash.new { |cells, key| cells[key] = {} }
  end

  def run
    check("a ping", "pong", @driver.call("system.ping"))
    check_refused("Tree \"#{@name}\" not found", "not_found") { ask("counter.sum", key: 1) }
    check("a creation", "OK", ask("tree.create"))
    ROUNDS.times do |round|
      count
      batch
      share(round)
      read
      repeat(round)
      forget if round % 10 == 9
      refuse if round % 10 == 4
    end
    read_all
    read_large
  end

  # Day and value of each key.
  def counts
    @cells.transform_values { |days| days.values.sum }
  end

  private

  def ask(op, **fields)
    @driver.call(op, series: @name, **fields)
  end

  def key
    @random.rand(KEYS)
  end

  def day
    DAYS.sample(random: @random)
  end

  def value
    1 + @random.rand(1000)
  end

  def total(key)
    @cells.fetch(key, {}).values.sum
  end

  def add(key, day, value)
    @cells[key][day] = @cells[key].fetch(day, 0) + value
  end

  def take(key, day, value)
    rest = @cells[key].fetch(day, 0) - value
    rest.positive? ? @cells[key][day] = rest : @cells[key].delete(day)
  end

  def count
    key, day, value = self.key, self.day, self.value
    check("an increment", value, ask("counter.increment", key: key, bucket: day, value: value))
    add(key, day, value)
    written = day.to_s.sub(/(....)(..)(..)/, '\1-\2-\3')
    check("one on a written day", 1, ask("counter.increment", key: key.to_s, bucket: written))
    add(key, day, 1)
    key, day, value = self.key, self.day, self.value
    check("a decrement", value, ask("counter.decrement", key: key, bucket: day, value: value))
    take(key, day, value)
  end

  def batch
    items = Array.new(5) { [key, day, value] }
    sum = items.sum(&:last)
    check("a batch", { "applied" => 5, "total" => sum }, ask("series.batch_add", items: items))
    items.each { |item| add(*item) }
    items = Array.new(3) { [key, day, @random.rand(3)] }
    check("a batch of values", { "applied" => 3 }, ask("series.batch_set", items: items))
    items.each do |key, day, value|
      value.zero? ? @cells[key].delete(day) : @cells[key][day] = value
    end
    keys = [key, key, 1000]
    sums = keys.map { |key| { "key" => key, "value" => total(key) } }
    check("sums", sums, ask("counter.batch_sum", keys: keys))
  end

  def share(round)
    key, value = self.key, self.value
    check("a shared increment", value,
          @driver.call("counter.increment", tree: SHARED, key: key, value: value))
    @shared.added(key, value)
    # All clients of v2 ask for the same under the same key.
    name = "round #{round}"
    response, was_there = @driver.once(name, "counter.increment", tree: SHARED, key: 99, value: 2)
    check("an increment that all ask for", 2, response)
    @shared.first(name) unless was_there
  end

  def read
    key = self.key
    from, to = [day, day].sort
    range = { from: from, to: to }
    days = @cells.fetch(key, {}).select { |day, _| day.between?(from, to) }
    check("a sum", total(key), ask("counter.sum", key: key))
    check("a sum in a range", days.values.sum, ask("counter.sum", key: key, range: range))
    check("a series", days.transform_keys(&:to_s), ask("counter.series", key: key, range: range))
    sums = @driver.pipeline(
      Array.new(KEYS) { |key| ["counter.sum", { series: @name, key: key }] }
    )
    check("sums in a pipeline", Array.new(KEYS) { |key| total(key) }, sums)
  end

  def repeat(round)
    name = "#{@name}, round #{round}"
    key, day, value = self.key, self.day, self.value
    fields = { series: @name, key: key, bucket: day, value: value }
    check("a first try", [value, false], @driver.once(name, "counter.increment", **fields))
    check("a second try", [value, true], @driver.once(name, "series.increment", **fields))
    add(key, day, value)
    check_refused("Idempotency key was already used with a different request",
                  "idempotency_conflict") do
      @driver.once(name, "counter.increment", **fields, value: value + 1)
    end
    check("a sum after tries", total(key), ask("counter.sum", key: key))
  end

  def forget
    key, day = self.key, self.day
    range = { from: day, to: day }
    check("a delete", true, ask("counter.delete_range", key: key, range: range))
    @cells[key].delete(day) if @cells.key?(key)
    key = self.key
    check("a reset", "OK", ask("counter.reset", key: key))
    @cells[key].clear if @cells.key?(key)
  end

  def refuse
    check_refused("Unknown op nope", "unknown_command") { ask("nope") }
    check_refused("Invalid bucket date", "validation_error") do
      ask("counter.increment", key: 1, bucket: 20_260_230)
    end
    check_refused("Invalid bucket date", "validation_error") do
      ask("series.batch_add", items: [[1, 20_260_301, 5], [1, 20_260_001, 5]])
    end
    check_refused("Field key must be greater than or equal to 0", "validation_error") do
      ask("counter.increment", key: -1)
    end
    check_refused("Field range is required", "validation_error") do
      ask("counter.series", key: 1)
    end
  end

  def read_all
    keys = []
    cursor = nil
    begin
      page = ask("tree.keys", limit: 3, cursor: cursor)
      keys.concat(page["keys"])
      cursor = page["next_cursor"]
    end while cursor
    check("all keys", counts.sort, keys.map { |row| row.values_at("key", "total") })
    top = counts.sort_by { |key, total| [-total, key] }.reject { |_, total| total.zero? }.first(2)
    rows = ask("tree.top", limit: 2)["items"]
    check("the top", top, rows.map { |row| row.values_at("key", "value") })
    all = ask("tree.series", range: YEAR)
    expected = @cells.to_h { |key, days| [key.to_s, days.transform_keys(&:to_s)] }
    check("all series", expected, all)
  end

  # The last of all keys, and the half of what a counter can hold.
  def read_large
    half = 2**63
    fields = { key: LAST_KEY, bucket: DAYS[0], value: half }
    check("a large increment", half, ask("counter.increment", **fields))
    check_refused("Counter overflow key=#{LAST_KEY} bucket=#{DAYS[0]}", "validation_error") do
      ask("counter.increment", **fields)
    end
    check("a large sum", half, ask("counter.sum", key: LAST_KEY.to_s))
    check("a large reset", "OK", ask("counter.reset", key: LAST_KEY))
    @cells[LAST_KEY].clear
  end
end

# What each protocol says of what was written in the other, once nobody writes.
def compare(port, workers_v1, workers_v2, shared)
  v1 = DriverV1.new(port)
  v2 = DriverV2.new(port)
  workers_v1.each do |worker|
    rows = v2.call("tree.keys", series: worker.name)["keys"]
    check(worker.name, worker.counts.sort, rows.map { |row| row.values_at("key", "total") })
  end
  workers_v2.each do |worker|
    found = v1.tree(worker.name).find(**EVER).to_h { |key, days| [key.to_i, days.values.sum] }
    check(worker.name, worker.counts.sort, found.sort)
  end
  shared.firsts.each { |name, count| check("the first ones in #{name}", 1, count) }
  check("rounds", ROUNDS, shared.firsts.length)
  shared.added(99, 2 * ROUNDS)
  shared.totals.each do |key, total|
    check("key #{key} of the shared tree in v1", total, v1.tree(SHARED).sum(key: key))
    check("key #{key} of the shared tree in v2", total, v2.call("counter.sum", tree: SHARED, key: key))
  end
  names = [SHARED, *[*workers_v1, *workers_v2].map(&:name)]
  check("the trees", names.sort, v1.trees.sort)
  check("the trees in both", v1.trees, v2.call("tree.list"))
  [v1, v2].each(&:close)
end

def main(port, seed)
  shared = Shared.new
  workers_v1 = Array.new(CLIENTS) { |index| WorkerV1.new(port, index, seed + index, shared) }
  workers_v2 = Array.new(CLIENTS) { |index| WorkerV2.new(port, index, ~(seed + index), shared) }
  workers = [*workers_v1, *workers_v2]
  Thread.report_on_exception = false
  workers.map { |worker| Thread.new { worker.run } }.each(&:join)
  compare(port, workers_v1, workers_v2, shared)
  requests = [workers_v1, workers_v2].map { |some| some.sum { |worker| worker.driver.requests } }
  workers.each { |worker| worker.driver.close }
  puts "ok: #{requests[0]} requests of v1, #{requests[1]} of v2"
end

seed = (ARGV[1] || Random.new_seed % 1_000_000).to_i
begin
  main(Integer(ARGV[0]), seed)
rescue StandardError => e
  abort "seed #{seed}: #{e.message}\n#{e.backtrace.first(4).join("\n")}"
end
