# frozen_string_literal: true

# A client of protocol v1 in the manner of the first Karma's: compact JSON and CR LF out, a line in,
# one request at a time, and of an answer only success and response.

require "json"
require "ostruct"
require "socket"

class DriverV1
  PATIENCE_SECONDS = 10

  # An answer without success.
  class Refused < StandardError; end

  # A tree by its name, as `Karma.tree("views").sum(key: 1)`.
  class Tree
    def initialize(driver, name)
      @driver = driver
      @name = name
    end

    %w[create drop increment decrement sum find reset delete].each do |command|
      define_method(command) { |**fields| @driver.call(command, tree_name: @name, **fields) }
    end
  end

  attr_reader :requests

  def initialize(port)
    @socket = TCPSocket.new("127.0.0.1", port)
    @requests = 0
  end

  def tree(name)
    Tree.new(self, name)
  end

  def trees
    call("trees")
  end

  def call(command, **fields)
    @requests += 1
    @socket.write(JSON.generate(command: command, **fields), "\r\n")
    answer = OpenStruct.new(JSON.parse(line))
    raise Refused, answer.response unless answer.success

    answer.response
  end

  def close
    @socket.close
  end

  private

  def line
    raise "No answer within #{PATIENCE_SECONDS} s" unless @socket.wait_readable(PATIENCE_SECONDS)

    line = @socket.gets or raise "The server has closed"
    raise "Not a line of v1: #{line.inspect}" unless line.end_with?("\r\n")

    line
  end
end
