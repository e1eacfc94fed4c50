# frozen_string_literal: true

# A client of protocol v2 in the manner of Karma 1.0's: compact JSON and LF out, a line in, errors by
# their codes, and retries under an idempotency key.

require "json"
require "socket"

class DriverV2
  PATIENCE_SECONDS = 10
  SUCCESS = %w[protocol_version success response error_code].freeze
  SUCCESS_ONCE = %w[protocol_version success response idempotent error_code].freeze

  # An answer with an error code.
  class Refused < StandardError
    attr_reader :code

    def initialize(code, text)
      super(text)
      @code = code
    end
  end

  attr_reader :requests

  def initialize(port)
    @socket = TCPSocket.new("127.0.0.1", port)
    @requests = 0
  end

  # Asks, and returns the response.
  def call(op, **fields)
    ask(op, SUCCESS, fields)["response"]
  end

  # Asks under a key, and returns the response and whether it was there already.
  def once(key, op, **fields)
    ask(op, SUCCESS_ONCE, { **fields, idempotency_key: key }).values_at("response", "idempotent")
  end

  # Sends many requests before it reads the first answer; returns the responses.
  def pipeline(requests)
    transmit(requests.map { |op, fields| request(op, fields) }.join)
    requests.map { read(SUCCESS)["response"] }
  end

  def close
    @socket.close
  end

  private

  def ask(op, members, fields)
    transmit(request(op, fields))
    read(members)
  end

  def request(op, fields)
    @requests += 1
    "#{JSON.generate(v: 2, op: op, **fields)}\n"
  end

  def transmit(text)
    @socket.write(text)
  end

  def read(members)
    answer = JSON.parse(line)
    raise Refused.new(answer["error_code"], answer["response"]) unless answer["success"]

    is_right = answer.keys == members && answer["protocol_version"] == 2 && answer["error_code"].nil?
    raise "Not an answer of v2: #{answer}" unless is_right

    answer
  end

  def line
    raise "No answer within #{PATIENCE_SECONDS} s" unless @socket.wait_readable(PATIENCE_SECONDS)

    line = @socket.gets or raise "The server has closed"
    raise "Not a line of v2: #{line.inspect}" if line.end_with?("\r\n")

    line
  end
end
